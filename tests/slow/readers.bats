# slow/readers.bats - mboxes and maildirs of other people's mail, and of traps, read back by real readers
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../tools/delivery

PACKAGES=mutt,dovecot-core,mailutils,procmail,maildrop,git,mblaze,maildir-utils,nmh,fdm,mb2md,libmail-box-perl
PACKAGES+=,libmailtools-perl,mboxgrep,alpine,s-nail,mairix,mhonarc

# What a sender can do to readers, a message each; the last one is beyond some of them.
traps() {
    local n=0 message

    mkdir traps
    while IFS= read -r message; do
        n=$((n + 1))
        # shellcheck disable=SC2059 # a format
        printf "$message" >traps/$n
    done <<'END'
Subject: s\nContent-Length: 0\n\ntext\n
Subject: s\nContent-Length: 99999\nLines: 500\nX-Last: 1\n\ntext\n
Subject: s\nStatus: RO\nX-Status: D\nX-Keywords: a\nX-UID: 4711\n\ntext\n
X-IMAP: 1234567890 0000000012\nX-IMAPbase: 1234567890 0000000012\nSubject: s\n\ntext\n
Subject: s\nX-Mozilla-Status: 0009\nX-Mozilla-Status2: 00000000\n\ntext\n
Subject: nothing but a header\n
just text\nmore text\n
X-Tool: t\nthis is no field\nFrom: x@example.org\nSubject: s\n\ntext\n
From x@example.org Thu Jan  1 00:00:00 1970\nSubject: s\n\ntext\n
Subject: s\nFrom : x@example.org\n\n>From x\nFrom x\n>>From x\nFrom x@example.org Thu Jan  1 00:00:00 1970\n\n\n
Subject: s\n\n\n\ntext\n\n\n
Subject: s\r\n\r\ntext\r\nmore\r\n
Subject: s\n\ntext\0 behind it\nmore\n
END
    find "$PWD/traps" -type f | sort -V
}

# The Message-ID of each message; of one that has none its name.
ids() {
    python3 -c 'import glob, re
for name in glob.glob("want/*"):
    header = re.sub(rb"\n[ \t]+", b" ", open(name, "rb").read().split(b"\n\n")[0])
    found = re.search(rb"^message-id *: *(\S.*)", header, re.I | re.M)
    print(found[1] if found else name)'
}

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    HERE=$PWD CLIENT=192.0.2.7 HELLO='EHLO helo.example'
}

@test "ten readers and more see every message of an mbox and of a maildir, with all of its text" {
    { traps && "$TESTS/tools/corpora" "$TESTS/../build/corpora"; } >names
    count=$(wc -l <names)
    [ "$count" -ge 110 ]
    config <<END
fsync off
deliver rcpt_to mbox@mx.example append $HERE/mbox
deliver rcpt_to box@mx.example maildir $HERE/box
END
    "$TESTS/tools/transactions" want mbox@mx.example box@mx.example <names | session
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" "$count"
    # the numbers of those whose header is ASCII
    (cd want && awk 'FNR == 1 { head = 1; all[FILENAME] } /^\r?$/ { head = 0 } head && /[^\t\r -~]/ { other[FILENAME] }
        END { for (name in all) if (!(name in other)) print name }' *) | sort -n >ascii
    [ "$(wc -l <ascii)" -gt 100 ]
    "$TESTS/slow/with-packages" "$PACKAGES" debianfdm "$TESTS/slow/readers"

    whole=(dovecot fdm formail git mail-util mailutils mb2md mblaze mutt python)
    "$TESTS/tools/as-read" want "${whole[@]/#/out/}"
    # these lose what stands behind a NUL, as mailrecv.conf(5) says
    mkdir text && cp want/* text
    grep -rlZaP '\x00' text | xargs -0 rm
    "$TESTS/tools/as-read" text out/{reformail,mboxgrep,nmh}
    "$TESTS/tools/as-read" want kept/{dovecot,fdm,git,mailutils,mutt,nmh,python}
    for name in mail-box mblaze mu s-nail s-nail-maildir mairix-maildir; do
        expect "$name: $(cat $name.count)" "$name: $count"
    done
    "$TESTS/tools/as-read" want kept/mairix
    # alpine takes a CR out that ends no line
    mkdir lines && cp want/* lines
    grep -lP '\r(?!$)' lines/* | xargs rm
    "$TESTS/tools/as-read" lines out/alpine
    # s-nail loses the empty line before a message within one
    mkdir ascii.want
    while read -r name; do cp "want/$name" ascii.want; done <ascii
    awk '/^$/ { nextfile } tolower($0) ~ /^content-type: message\/rfc822/ { print FILENAME }' ascii.want/* | xargs rm
    "$TESTS/tools/as-read" ascii.want {out,kept}/s-nail
    # mhonarc has one page for all messages with the same Message-ID
    pages=$(ids | sort -u | wc -l)
    expect "$(cat mhonarc-{mbox,maildir}.count)" "$pages"$'\n'"$pages"
}
