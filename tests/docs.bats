#!/usr/bin/env bats
# docs.bats - the manual pages and the example configuration say what the program does, no more and no less

load common
bats_require_minimum_version 1.5.0

setup() {
    SOURCE=$TESTS/..
    MAN5=$SOURCE/man/mailrecv.conf.5
    MAN8=$SOURCE/man/mailrecv.8
    EXAMPLE=$SOURCE/mailrecv.conf
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
    : >empty.conf
}

# Fails and shows the difference unless two lists on files are the same sets. They must not be empty.
same() {
    sort -u -o "$1" "$1"
    sort -u -o "$2" "$2"
    [ -s "$1" ] && diff "$1" "$2"
}

# What examples name below /etc/mailrecv, here: a certificate, its key, an authority, a users file.
secrets() {
    mkdir tls
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=client.example \
        -addext subjectAltName=DNS:localhost -keyout tls/key.pem -out tls/cert.pem 2>openssl.out
    cp tls/cert.pem clients.pem
    (umask 077 && printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users)
}

# The names in the tables of all rooms; with `repeatable` those without a default, with `single` the others.
keywords() {
    local row='s/^ *{ \.name = "\([^"]*\)".*/\1/p'
    case ${1:-all} in
        single) row='s/^ *{ \.name = "\([^"]*\)", \.order = .*/\1/p' ;;
        repeatable) row='/\.order/!'$row ;;
    esac
    cat "$SOURCE"/*/keywords.[ch] | sed -n "$row"
}

# What is in effect when nothing is configured, as `keyword value` lines. Builds for debuggers and
# sanitizers have another default for sandbox.
defaults() {
    local sandbox
    sandbox=$(cat "$SOURCE"/*/keywords.[ch] | sed -n 's/^#define SANDBOX_DEFAULT "\(.*\)"/\1/p')
    "$MAILRECV" -t -c empty.conf 2>/dev/null | sed "s/^sandbox .*/sandbox $sandbox/"
}

# The item of a directive in mailrecv.conf(5), up to the next one.
item5() {
    awk -v want="$1" '
        /^\.It Ic / || /^\.S[hs] / { inside = $2 == "Ic" && $3 == want }
        inside' "$MAN5"
}

# Is there "Default: none" or its like in the example, between a directive and the one above?
default_above() {
    awk -v directive="#$1" '
        $1 == directive { found = found || text ~ /Default: (none|nobody|everyone|no [a-z]+)/; next }
        /^#[a-z]/ { text = "" }
        /^# / { text = text substr($0, 2) }
        END { exit !found }' "$EXAMPLE"
}

# The configuration has no mistake, whatever -t thinks of its sense.
loads() {
    run --separate-stderr "$MAILRECV" -t -c "$1"
    [ "$status" -le 1 ]
}

# Text of a page as its reader sees it, one blank between words, on one line.
rendered() {
    mandoc -Tascii "$1" | sed 's/.\x08//g' | tr -s ' \n' '  '
}

@test "the manual pages are clean for mandoc" {
    run -0 --separate-stderr mandoc -Tlint -Wwarning "$SOURCE"/man/*.[1-8]
    [ "$output" = "" ]
}

@test "the manual pages refer to each other and to nothing that is missing of ours" {
    grep -q '^\.Xr mailrecv\.conf 5' "$MAN8"
    grep -q '^\.Xr mailrecv 8' "$MAN5"
    grep -ho '^\.Sx [A-Z ]*[A-Z]' "$MAN5" "$MAN8" | cut -c5- | sort -u >references
    grep -ho '^\.S[hs] .*' "$MAN5" "$MAN8" | cut -c5- | sort -u >sections
    [ -s references ]
    [ "$(comm -23 references sections)" = "" ]
}

@test "the table of keywords is found: repeatable and single ones, each once" {
    [ "$(keywords repeatable | sort | paste -sd' ')" = 'allow allowgroup also bypass deliver deny dns.server dnsbl dnswl error include lockout.exempt milter milter.macros policy proxy_protocol quiet refuse rewrite status table xclient xforward' ]
    keywords single >ones
    [ "$(wc -l <ones)" -gt 20 ]
    [ "$(keywords | sort | uniq -d)" = '' ]
    # what is printed for an empty file are single ones
    defaults | cut -d' ' -f1 >printed
    [ "$(grep -vxFf ones printed)" = '' ]
}

@test "mailrecv.conf(5) documents each keyword of the program, and no other" {
    keywords >known
    sed -n 's/^\.It Ic \([^ ]*\).*/\1/p' "$MAN5" >documented
    [ "$(sort documented | uniq -d)" = "" ]
    same known documented
}

@test "mailrecv.conf(5) gives each default as it is" {
    domain=$(defaults | sed -n 's/^domain //p')
    while read -r keyword value; do
        case $keyword in
        domain) value="the name of this host" ;;
        greeting) value="DOMAIN${value#"$domain"}" ;;
        esac
        item5 "$keyword" | grep -xF ".Dl Default: $value" || { echo "$keyword: not $value"; return 1; }
        # mdoc could have taken a word for a macro
        [[ "$(rendered "$MAN5")" == *"Default: $value "* ]]
    done < <(defaults)
    for keyword in $(keywords single); do
        defaults | grep -q "^$keyword " || item5 "$keyword" | grep -xF '.Dl Default: none'
    done
    for keyword in $(keywords); do
        [ "$(item5 "$keyword" | grep -c '^\.Dl Default: ')" = 1 ]
    done
}

@test "the default domain is the name of this host" {
    domain=$(defaults | sed -n 's/^domain //p')
    [ "$domain" = "$(uname -n)" ] || [ "$domain" = localhost ]
}

@test "mailrecv.conf(5) says of exactly the repeatable keywords that they are" {
    for keyword in $(keywords); do
        if item5 "$keyword" | grep -qx 'Repeatable\.'; then echo "$keyword"; fi
    done >documented
    keywords repeatable >known
    same known documented
}

@test "mailrecv.conf(5) gives the largest numbers" {
    text=$(rendered "$MAN5")
    [[ $text == *"The largest N is 999999 for limit.smtp_rcpt_to, 1000000000000000 for limit.smtp_data_size, and 1000000000 for the others."* ]]
    # a mode is no N
    for keyword in $(defaults | awk '$2 ~ /^[0-9]+$/ && $1 != "mailbox.mode" && $1 != "listen.spares" { print $1 }'); do
        case $keyword in
        limit.smtp_rcpt_to) max=999999 ;;
        limit.smtp_data_size) max=1000000000000000 ;;
        *) max=1000000000 ;;
        esac
        echo "$keyword $max" >max.conf
        loads max.conf
        echo "$keyword $((max + 1))" >max.conf
        run -78 "$MAILRECV" -t -c max.conf
    done
}

@test "mailrecv.conf shows each keyword, and no other" {
    keywords >known
    sed -n 's/^#\([a-z][^ ]*\).*/\1/p' "$EXAMPLE" >documented
    same known documented
}

@test "mailrecv.conf gives each default as it is" {
    domain=$(defaults | sed -n 's/^domain //p')
    while read -r keyword value; do
        case $keyword in
        domain) grep -x '# Default: the name of this host\.' "$EXAMPLE" ;;
        greeting) grep -E "Default: DOMAIN${value#"$domain"}\$" "$EXAMPLE" ;;
        *) grep -cxF "#$keyword $value" "$EXAMPLE" | grep -x 1 || { echo "$keyword: not $value"; return 1; } ;;
        esac
    done < <(defaults)
    for keyword in $(keywords repeatable) $(keywords single); do
        defaults | grep -q "^$keyword " || default_above "$keyword" || { echo "$keyword: no default"; return 1; }
    done
}

@test "mailrecv.conf loads as it is, and changes nothing" {
    install -m 644 "$EXAMPLE" example.conf
    run -0 --separate-stderr "$MAILRECV" -t -c example.conf
    [ "$output" = "$("$MAILRECV" -t -c empty.conf 2>/dev/null)" ]
}

@test "mailrecv.conf loads with each line uncommented, without a mistake" {
    mkdir mailrecv.d # included
    # the helper need not be installed; it is asked about the authorities
    sed "s/^#\([a-z]\)/\1/; s|^#*\(tls.helper\) .*|\1 ${MAILRECV%/*}/mailrecv-tls|" "$EXAMPLE" >all.conf
    loads all.conf
    # the only thing that stands twice is the domain: in the small example at the top, and in its place
    # shellcheck disable=SC2154 # bats sets it
    [ "$(grep -c 'stands twice' <<<"$stderr")" = 1 ]
    [[ $stderr == *"'domain' stands twice"* ]]
}

@test "mailrecv.conf: the small example at the top works" {
    awk '/^#domain/ { block = 1 } block && /^$/ { exit } block' "$EXAMPLE" | sed 's/^#//' >top
    [ "$(wc -l <top)" = 3 ]
    sed "s,/var/lib/mailrecv/,$PWD/," top >top.conf
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<hello@mail.example.com>' \
        'RCPT TO:<Postmaster>' 'RCPT TO:<other@example.com>' DATA 'Subject: x' '' 'it works' . QUIT |
        "$MAILRECV" -c top.conf -l stderr -P 192.0.2.7 >replies
    grep -q '^220 mail.example.com ESMTP mailrecv' replies
    [ "$(grep -c '^250 2.1.5' replies)" = 2 ]
    grep -q '^550 5.1.1 No one here by that name' replies
    [ "$(grep -cx 'it works' hello.txt)" = 1 ]
    [ "$(grep -cx 'it works' postmaster)" = 1 ]
}

@test "mailrecv(8) documents each option of -h, and no other" {
    "$MAILRECV" -h | grep -o -- '-[A-Za-z]\b' | sort -u >known
    awk '/^\.Sh SYNOPSIS/ { on = 1 } /^\.Sh DESCRIPTION/ { exit } on' "$MAN8" |
        grep -o 'F. [A-Za-z]\( | [A-Za-z]\b\)*' | sed 's/^Fl //; s/ | /\n/g' | sed 's/^/-/' >synopsis
    sed -n 's/^\.It Fl \([A-Za-z]\).*/-\1/p' "$MAN8" >described
    same known synopsis
    same known described
    # in the help's list, too, each with its value
    "$MAILRECV" -h | sed -n 's/^  \(-[A-Za-z]\) .*/\1/p' >listed
    same known listed
}

@test "the help names the values of options as mailrecv(8) does" {
    for option in '-c FILE' '-d FLAGS' '-P ADDRESS[=NAME]'; do
        "$MAILRECV" -h | grep -qF -- "  $option  "
        [[ "$(rendered "$MAN8")" == *" $option "* ]]
    done
}

@test "mailrecv.conf(5) documents each debug flag, and no other" {
    # shellcheck disable=SC2001
    "$MAILRECV" -h | sed -n 's/.*debug flags, any of \([^,]*\),.*/\1-/p' | grep -o . >known
    item5 debug | sed -n 's/^\.It Cm \(.\)$/\1/p' >documented
    same known documented
    flags=$(tr -d '\n' <known)
    [ "${#flags}" = 11 ]
    "$MAILRECV" -t -c empty.conf -d "$flags"
}

# An address pattern with groups, so that MATCH_1 and MATCH_2 are there.
environment_session() {
    printf 'pipe.from_line off\ndeliver rcpt_to /^(.)(.*)@/ %s\n' "$1" >environment.conf
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<joe@example.com>' DATA '' . QUIT |
        "$MAILRECV" -c environment.conf -l log -P 192.0.2.7=client.example | grep -q '^250 2.0.0 Ok, delivered'
}

@test "mailrecv.conf(5) documents each environment variable of a command, and no other" {
    # exec, for a shell adds variables of its own
    environment_session 'exec /usr/bin/env'
    sed -n 's/.*output id=[^ ]* text="\([A-Z0-9_]*\)=.*/\1/p' log | sed 's/^MATCH_[12]$/MATCH_1/' >real
    awk '/^\.Sh ENVIRONMENT/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It Ev/ { print $3 }' "$MAN5" >documented
    same real documented
    # and so the table in the source, should a variable not always be there
    sed -n 's/^ *{ "\([A-Z_]*\)", [A-Z_]*, .*/\1/p' "$SOURCE/delivery/facts.c" >table
    printf '%s\n' PATH HOME USER LOGNAME SHELL MATCH_1 MAILRECV_JSON >>table
    same table documented
}

@test "mailrecv.conf(5) documents PATH and the number of captures as they are" {
    environment_session 'exec /usr/bin/env'
    path=$(sed -n 's/.* text="PATH=\([^"]*\)"$/\1/p' log)
    awk '/^\.It Ev PATH$/ { getline; print }' "$MAN5" | grep -xF "$path"
    printf 'deliver rcpt_to /(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)@/ exec /usr/bin/env\n' >captures.conf
    printf '%s\r\n' 'MAIL FROM:<>' 'RCPT TO:<abcdefghij@example.com>' DATA '' . QUIT |
        "$MAILRECV" -c captures.conf -l captures.log -P 192.0.2.7 >/dev/null
    [ "$(grep -o 'text="MATCH_[0-9]*' captures.log | tail -n1)" = 'text="MATCH_9' ]
    grep -q '^\.It Ev MATCH_1 No to Ev MATCH_9$' "$MAN5"
}

@test "MAILRECV_JSON has the members and types that mailrecv.conf(5) says" {
    # shellcheck disable=SC2016 # for the shell of the command
    environment_session 'pipe printf %s "$MAILRECV_JSON" >json'
    awk '/^\.Sh ENVIRONMENT/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It Ev/ { print $3 }' "$MAN5" |
        grep -v -x -E 'PATH|HOME|USER|LOGNAME|SHELL|MAILRECV_JSON' | tr '[:upper:]' '[:lower:]' | sed 's/^match_1$/match/' >documented
    printf '%s\n' headers headers_truncated >>documented
    python3 -c 'import json; print("\n".join(json.load(open("json"))))' >members
    same members documented
    awk '/^\.It Ev MAILRECV_JSON/ { on = 1 } /^\.It Ev/ && !/JSON/ { on = 0 } /^are numbers/ { exit } on' "$MAN5" |
        sed -n 's/^\.Ql \([a-z_]*\).*/\1/p' >numbers
    python3 - >types <<'END'
import json
for name, value in json.load(open("json")).items():
    if name == "headers_truncated":
        assert value is False
    elif value is None or isinstance(value, (int, float)):
        print(name)
    else:
        assert isinstance(value, {"match": list, "recipients": list, "headers": dict}.get(name, str)), name
END
    same types numbers
}

@test "mailrecv.conf(5) documents each %{argument}, and no other" {
    grep -o '%{[a-z_]*}' "$SOURCE/rules.c" >known
    awk '/^\.It Cm exec/ { on = 1 } /^\.El/ { on = 0 } on' "$MAN5" | grep -o '%{[a-z_]*}' >documented
    same known documented
}

@test "mailrecv.conf(5) documents each target, and no other" {
    sed -n '/^} targets\[\] = {/,/^};/s/^ *{ SLICE("\([a-z]*\)").*/\1/p' "$SOURCE/conf/targets.c" >known
    awk '/^\.Sh TARGETS/ { on = 1 } /^\.El/ { on = 0 } on && /^\.It Cm/ { print $3 }' "$MAN5" >documented
    same known documented
}

@test "mailrecv.conf(5) documents the exit statuses that refuse for good" {
    # shellcheck disable=SC2016 # for the shell of the command
    echo 'deliver rcpt_to /^s([0-9]+)@/ pipe exit "$MATCH_1"' >exits.conf
    seq 1 255 | sed 's/.*/MAIL FROM:<>\r\nRCPT TO:<s&@example.com>\r\nDATA\r\nx\r\n.\r/' | "$MAILRECV" -c exits.conf -l stderr -P 192.0.2.7 >replies 2>/dev/null
    [ "$(grep -c '^451 4\.3\.0 ' replies)" = 251 ]
    statuses=$(sed -n 's/^554 5\.[0-9.]* .*<s\([0-9]*\)@.*/\1/p' replies | paste -sd, | sed 's/,/, /g')
    [ "$statuses" = "65, 67, 77, 100" ]
    grep -q "^\.It $statuses Ta " "$MAN5"
}

@test "mailrecv(8) documents each environment variable that the program reads, and no other" {
    # mailrecv-publish reads what commands are told
    (cd "$SOURCE" && make -s print-sources | tr ' ' '\n' | grep -v '^programs/publish/' | xargs grep -ho '\(getenv\|port_of\)("[A-Z_]*")') | cut -d'"' -f2 >known
    awk '/^\.Sh ENVIRONMENT/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It Ev/ { print $3 }' "$MAN8" >documented
    same known documented
}

# A session with a certificate of the client, and a password that is wrong at first, on a socket of no network.
secure_session() {
    secrets
    {
        printf 'tls optional\ntls.cert tls/cert.pem\ntls.key tls/key.pem\ntls.client_ca clients.pem\n'
        printf 'auth optional\nauth.users users\n'
    } >secure.conf
    python3 - "$MAILRECV" <<'END'
import smtplib, socket, ssl, subprocess, sys
ours, theirs = socket.socketpair()
program = subprocess.Popen([sys.argv[1], "-c", "secure.conf", "-l", "log", "-P", "192.0.2.9"], stdin=theirs, stdout=theirs)
theirs.close()
tls = ssl.create_default_context(cafile="tls/cert.pem")
tls.load_cert_chain("tls/cert.pem", "tls/key.pem")
s = smtplib.SMTP(local_hostname="client.example")
s.sock, s._host = ours, "localhost"
assert s.getreply()[0] == 220
s.starttls(context=tls)
s.ehlo()
assert s.docmd("AUTH", "PLAIN AGFubkBleGFtcGxlLmNvbQB4")[0] == 535
assert s.docmd("AUTH", "PLAIN Ym9iAGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=")[0] == 535 # right, but for bob
s.login("ann@example.com", "secret")
s.quit()
assert program.wait() == 0
END
    sed -i '/192\.0\.2\.9\] end /d' log # its commands are those of the other session
}

# The keys of log lines, outside of quoted text.
log_keys() {
    sed 's/^.*MAILRECV\[[0-9]*\]: \[[^]]*\] //; s/"[^"]*"/""/g' "$1" | grep -v '^DEBUG' |
        grep -o '\b[a-z-]*=' | tr -d =
}

# Logs how a session ends that is killed. A build without a second process cannot show it.
killed_session() {
    local session=''
    mkfifo silence
    "$MAILRECV" -c keys.conf -l log -P 192.0.2.8 <>silence >/dev/null &
    monitor=$!
    wait_for log '192\.0\.2\.8\] SMTP connection'
    if "$MAILRECV" -t -c keys.conf 2>/dev/null | grep -q '^sandbox off'; then
        kill "$monitor"
        echo 'MAILRECV[1]: [192.0.2.8] end reason=killed signal=9' >>log
    else
        until [ -n "$session" ]; do
            kill -0 "$monitor"
            session=$(cat "/proc/$monitor/task/$monitor/children")
        done
        kill -KILL "${session% }"
    fi
    wait "$monitor"
    grep -q '192\.0\.2\.8\] end reason=killed signal=9$' log
}

@test "mailrecv(8) documents each key of log lines, and no other" {
    cat >keys.conf <<'END'
allowgroup office ^192\.0\.2\.99$
deliver allowgroup office rcpt_to office@example.com append /dev/null
rewrite sender /^old@/ new@example.com
rewrite rcpt_to /^old@/ yes@example.com
deliver auth rcpt_to office@example.com append /dev/null
deliver rcpt_to yes@example.com pipe echo said
deliver rcpt_to no@example.com pipe echo sorry; exit 100
deliver rcpt_to not@example.com append /dev/null
policy rcpt exec /bin/sh handler
milter /nonexistent
milter.failure accept
spool_directory /nonexistent
lockout.db contacts.db
lockout.violations 1
xforward ^192\.0\.2\.10$
END
    cat >handler <<'END'
while read -r line; do
    case $line in
        recipient=not@example.com) answer=REJECT ;;
        '') printf 'action=%s\n\n' "${answer:-FILTER}" && answer='' ;;
    esac
done
END
    {
        printf 'EHLO client.example\r\nNOOP\r\nBLAH\r\nMAIL FROM:<>\r\nRCPT TO:<office@example.com>\r\nRCPT TO:<not@example.com>\r\n'
        printf 'RCPT TO:<yes@example.com>\r\nDATA\r\nx\r\n.\r\n'
        printf 'MAIL FROM:<>\r\nRCPT TO:<no@example.com>\r\nDATA\r\nx\r\n.\r\n'
        printf 'MAIL FROM:<>\r\nRCPT TO:<yes@example.com>\r\nDATA\r\n'
        # too large for memory, and the file for it cannot be made
        seq 100000 | sed 's/$/\r/'
        printf '.\r\nQUIT\r\n'
    } | "$MAILRECV" -c keys.conf -l log -P 192.0.2.7=client.example >replies
    tail -n1 replies | grep -q '^221 '
    printf '%s\r\n' 'MAIL FROM:<old@example.com>' 'RCPT TO:<old@example.com>' QUIT |
        "$MAILRECV" -c keys.conf -l log -P 192.0.2.10 >replies
    # a message without an end
    printf 'MAIL FROM:<>\r\nRCPT TO:<yes@example.com>\r\nDATA\r\nx\n.\n' |
        "$MAILRECV" -c keys.conf -l log -P 192.0.2.9 >replies
    killed_session
    secure_session
    for _ in one two; do # violations, for a message was delivered
        printf '%s\r\n' 'MAIL FROM:<>' 'RCPT TO:<nobody@example.com>' QUIT | "$MAILRECV" -c keys.conf -l log -P 192.0.2.7 >replies
    done
    printf '%s\r\n' 'XFORWARD ADDR=192.0.2.70 IDENT=4F2A' 'MAIL FROM:<>' 'RCPT TO:<nobody@example.com>' RSET QUIT |
        "$MAILRECV" -c keys.conf -l log -P 192.0.2.10 >replies
    sed -i '/192\.0\.2\.10\] end /d' log # and of this one, too
    for _ in told closed; do # for it was locked out
        "$MAILRECV" -c keys.conf -l log -P 192.0.2.7 <<<QUIT >replies
    done
    [ ! -s replies ]
    log_keys log | sort -u >all
    # the counts per command are called like the commands
    printf '%s\n' ehlo mail rcpt data noop quit >commands
    [ "$(grep -cxFf commands all)" = 6 ]
    grep -vxFf commands all >known
    awk '/^The keys are:/ { on = 1; next } /^\.El/ { on = 0 } on && /^\.It Cm/ { print $3 }' "$MAN8" >documented
    same known documented
}

@test "mailrecv(8) documents each line of the log" {
    python3 - "$MAN8" "$SOURCE" <<'END'
import pathlib, re, sys

def pattern(shown): # words in capitals stand for something; what is behind the first = is for the keys to tell
    return re.sub(r"\b(?!SMTP|ERROR|TLS|DNS)[A-Z]{2,}\b", ".+", re.escape(shown.split("=")[0].strip('"')))

page = pathlib.Path(sys.argv[1]).read_text().split("These events are always logged:")[1].split("\n.El\n")[0]
known = [pattern(shown) for shown in re.findall(r"^\.It Li (.*)$", page, re.M)]
logged = set()
for path in pathlib.Path(sys.argv[2]).glob("**/*.c"):
    if path.relative_to(sys.argv[2]).parts[0] not in ("tests", "bench", "build", "programs"):
        logged.update(re.findall(r'log_line\([^"(;]*"([^"]*)', path.read_text()))
logged = {re.sub(r"^(end|message lost) %s.*", r"\1 reason", text) for text in logged} # by functions of their own
logged = {re.sub("^%s(?= output service)", kind, text) for text in logged for kind in ("policy", "table")} # nexthop/server.c
samples = [re.sub(r"%[.*]*[a-z]+", "X", text.split("=")[0]) for text in logged if text != "%s"]
assert len(samples) > 40, samples
missing = [sample for sample in samples if not any(re.match(k, sample) for k in known)]
assert not missing, missing
END
}

@test "mailrecv(8) documents each reason of an end, stage and result" {
    reasons=$(awk '/^\.It Cm reason/ { on = 1; next } /^\.It/ { on = 0 } on && /^\.Ql/ { print $2 }' "$MAN8")
    { sed -n 's/.*end_reason = "\([a-z-]*\)".*/\1/p' "$SOURCE"/smtp.c "$SOURCE"/smtp/*.c
      sed -n '/reasons\[\] = {/,/};/p' "$SOURCE/smtp/loop.c" | grep -o '"[a-z-]*"' | tr -d '"'
      sed -n 's/.*log_death(m, "\([a-z]*\) signal".*/\1/p' "$SOURCE/monitor/hear.c"
      echo limit; } >known
    echo "$reasons" >documented
    same known documented
    awk '/^\.It Cm stage/ { on = 1; next } /^\.It/ { on = 0 } on && /^\.Ql/ { print $2 }' "$MAN8" >documented
    tr -d '\n*' <"$SOURCE/monitor/monitor.h" | grep -o 'is one of the words [a-z, ]*' | cut -d' ' -f6- | tr -d , |
        tr -s ' ' '\n' >known
    same known documented
    awk '/^\.It Cm result/ { on = 1; next } /^\.It/ { on = 0 } on && /^\.Ql/ { print $2 }' "$MAN8" >documented
    sed -n '/names\[\] = {/,/};/p' "$SOURCE/delivery/deliver.c" | grep -o '"[a-z]*"' | tr -d '"' >known
    same known documented
}

@test "mailrecv(8) documents the extensions of EHLO" {
    printf 'EHLO client.example\r\nQUIT\r\n' | "$MAILRECV" -c empty.conf -l stderr -P 192.0.2.7 2>/dev/null |
        tr -d '\r' | sed -n 's/^250[- ]\([A-Z0-9]\{4,\}\).*/\1/p' >known
    sed -n 's/^\.Dv \([0-9A-Z]\{4,\}\).*/\1/p' "$MAN8" | grep -v '^SIG' >documented
    same known documented
}

@test "the configurations among the examples of mailrecv.conf(5) load" {
    awk '/^\.Sh EXAMPLES/ { on = 1 } /^\.Sh SEE/ { on = 0 }
         on && /^\.Bd -literal/ { file = "man" ++n ".conf"; next }
         /^\.Ed/ { file = "" }
         file != "" { gsub(/\\e/, "\\"); gsub(/\\\(dq/, "\""); gsub(/\\&/, ""); print > file }' "$MAN5"
    [ -s man1.conf ] && [ -s man5.conf ]
    secrets
    sed -i "s,/etc/mailrecv/,$PWD/," man*.conf
    for file in man*.conf; do
        loads "$file"
    done
}

@test "the lines of configuration in README load" {
    [ -e "$SOURCE/README.md" ] || skip 'there is no README.md'
    awk '/^```/ { if (file != "") file = ""; else if ($0 ~ /^```conf *$/) { file = "readme" ++n ".conf"; next }
                  else file = "/dev/null"; next }
         file != "" { print > file }' "$SOURCE/README.md"
    [ -s readme1.conf ] && [ -s readme3.conf ]
    secrets
    sed -i "s,/etc/mailrecv/,$PWD/," readme*.conf
    for file in readme*.conf; do
        loads "$file"
    done
}

@test "the example session of mailrecv(8) goes as printed" {
    printf 'domain mail.example.com\ndeliver rcpt_to joe@example.com append /dev/null\n' >mailrecv.conf
    awk '/^\$ mailrecv -c .* -P / { on = 1; next } /^\.Ed/ { on = 0 } on' "$MAN8" >dialog
    grep -v '^[0-9]' dialog | "$MAILRECV" -c mailrecv.conf -l stderr -P 192.0.2.7=client.example 2>/dev/null |
        tr -d '\r' >replies
    grep '^[0-9]' dialog | diff - replies
}

@test "the mistake that mailrecv(8) shows looks so" {
    printf '\n\ndelivr rcpt_to joe@example.com append /var/mail/joe\n' >mailrecv.conf
    run -78 --separate-stderr "$MAILRECV" -t -c mailrecv.conf
    awk '/^mailrecv\.conf:3:1:/ { on = 1 } /^\.Ed/ { on = 0 } on' "$MAN8" >shown
    diff shown <(echo "$stderr")
}

@test "the warning that mailrecv(8) shows looks so" {
    printf 'user %s\nallow remotehost example\\.com$\n' "$(id -un)" >mailrecv.conf
    run -1 --separate-stderr "$MAILRECV" -t -c mailrecv.conf
    awk '/^mailrecv\.conf:2:18:/ { on = 1 } /^\.Ed/ { on = 0 } on' "$MAN8" | sed 's/\\e/\\/g' >shown
    diff shown <(grep -A 3 ':18: warning' <<<"$stderr")
}

@test "each test file, page and example begins with its purpose" {
    [[ "$(head -n1 "$MAN5")" == '.\" mailrecv.conf.5 - '* ]]
    [[ "$(head -n1 "$MAN8")" == '.\" mailrecv.8 - '* ]]
    [[ "$(head -n1 "$EXAMPLE")" == '# mailrecv.conf - '* ]]
}

# ---- the pages of the programs beside mailrecv ----

# The pages of sections 1 and 8, with the program that each is about, as lines "PROGRAM PAGE".
program_pages() {
    local page program
    for page in "$SOURCE"/man/*.[18]; do
        program=${page##*/}
        echo "${MAILRECV%/*}/${program%.*} $page"
    done
}

@test "each program has a page, and each page of sections 1 and 8 a program" {
    sed -nE 's/^all: (.*)/\1/p' "$SOURCE/Makefile" | tr ' ' '\n' >known
    program_pages | sed 's,.*/,,; s/\.[18]$//' >documented
    same known documented
}

@test "each page of a program documents each option of its -h, and no other" {
    while read -r program page; do
        "$program" -h | sed -nE 's/^  (-[A-Za-z]) .*/\1/p' >known
        sed -n 's/^\.It Fl \([A-Za-z]\).*/-\1/p' "$page" >described
        same known described
        awk '/^\.Sh SYNOPSIS/ { on = 1 } /^\.Sh DESCRIPTION/ { exit } on' "$page" |
            grep -oE '(Fl|\|) [A-Za-z]\b' | sed -E 's/^(Fl|\|) /-/' | grep -v -- '-[A-Z][a-z]' >synopsis
        same known synopsis
        # the lines of usage have no other, either
        "$program" -h | sed -n '1,/^$/p' | grep -oE -- '[[ |]-[A-Za-z]\b' | cut -c2- >usage
        [ -z "$(sort -u usage | comm -23 - known)" ]
    done < <(program_pages)
}

@test "the pages refer to each other: none is missing, none is forgotten" {
    (cd "$SOURCE/man" && ls ./*.[1-8]) | sed 's,^\./,,' >known
    sed -nE 's/^\.Xr (mailrecv[a-z.-]*) ([1-8]).*/\1.\2/p' "$SOURCE"/man/*.[1-8] >documented
    same known documented
}

# ---- README ----

@test "README names no option that the programs do not have" {
    grep -oE '(^ *|`|\| )mailrecv(-checkpassword|-lookup|-report|-tls)? +-[A-Za-z][^`|)]*' "$SOURCE/README.md" | tr -d '`|' >commands
    [ "$(wc -l <commands)" -ge 4 ]
    while read -r program rest; do
        "${MAILRECV%/*}/$program" -h | sed -nE 's/^  (-[A-Za-z]) .*/\1/p' >known
        for option in $(grep -oE '(^| )-[A-Za-z]\b' <<<"$rest"); do
            grep -qx -e "$option" known || { echo "$program has no $option"; return 1; }
        done
    done <commands
}

@test "each of the ten questions of README has one command, which there is" {
    sed -n '/^## Ten questions/,/^## /s/^| \(.*?\) | \(.*\) |$/\1\t\2/p' "$SOURCE/README.md" >table
    cut -f1 table >questions
    diff questions - <<'END'
Why was this refused?
Where did that mail go?
Which rule?
Is my pattern too wide?
Is my certificate fine?
What does my script get?
How do I test from here?
How do I run it again?
Who is attacking?
How do I turn on more logging?
END
    [ "$(cut -f2 table | grep -cE '^`(mailrecv|mailrecv-report|grep|echo) [^`]*`$')" -eq 10 ]
    flags=$(sed -nE "s/.*echo 'debug ([a-z]+)' .*/\1/p" table)
    "$MAILRECV" -t -c empty.conf -d "$flags"
}

@test "README and CONTRIBUTING name no directive, file, test or function that is not there" {
    keywords | sort >known
    # words like a.b and a_b within `...`
    grep -ohE '`[a-z]+([._/-][a-z]+)*[._/][a-z]+[` ]' "$SOURCE"/{README,CONTRIBUTING}.md | tr -d '` ' | sort -u >words
    [ "$(wc -l <words)" -ge 20 ]
    for word in $(grep -vxFf known words); do
        [ -e "$SOURCE/$word" ] || [ -e "$SOURCE/tests/$word" ] || grep -q "\b$word(" "$SOURCE"/*.h "$SOURCE"/*/*.h ||
            { echo "there is no $word"; return 1; }
    done
}

@test "README names no target that make help does not, and the file Makefile has them" {
    make -s -C "$SOURCE" help | cut -d: -f1 >known
    grep -oE '(^    |`|&& )make [a-z][a-z-]*' "$SOURCE/README.md" | sed 's/.*make //' | sort -u >named
    [ "$(wc -l <named)" -ge 6 ]
    for target in $(grep -vxFf known named); do echo "there is no make $target"; return 1; done
    for target in $(cat known); do
        grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:( |\$)" "$SOURCE"/Makefile "$SOURCE"/*.mk "$SOURCE"/bench/*.mk
    done
}

@test "README says what each directory at the top is for" {
    for directory in "$SOURCE"/*/; do
        directory=$(basename "$directory")
        case $directory in build | build-*) continue ;; esac
        grep -q "\`$directory/\`" "$SOURCE/README.md" || { echo "what is $directory/?"; return 1; }
    done
}

@test "README and mailrecv(8) have the same exit statuses" {
    sed -n '/^## Exit statuses/,/^## /s/^| \([0-9][0-9]*\) |.*/\1/p' "$SOURCE/README.md" >known
    awk '/^\.Sh EXIT STATUS/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It [0-9]/ { print $2 }' "$MAN8" >documented
    same known documented
}

@test "the drawing in README is well formed, small, for light and dark, and needs nothing from elsewhere" {
    drawing=$(sed -nE 's/^!\[One delivery[^]]*\]\((.*)\)$/\1/p' "$SOURCE/README.md")
    [ "$(wc -c <"$SOURCE/$drawing")" -lt 8192 ]
    python3 - "$SOURCE/$drawing" <<'END'
import re, sys
import xml.etree.ElementTree as tree
text = open(sys.argv[1]).read()
root = tree.fromstring(text)
svg = "{http://www.w3.org/2000/svg}"
assert root.tag == svg + "svg" and root.get("viewBox")
assert root.find(svg + "title").text and root.find(svg + "desc").text  # for who cannot see it
assert "prefers-color-scheme: dark" in text
assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#tip"} and "href" not in text and "@import" not in text
width = float(root.get("viewBox").split()[2])
for element in root.iter():
    for name in ("x", "x1", "x2"):
        assert 0 <= float(element.get(name, 0)) <= width, element.attrib
END
}

# ---- versions, HTML ----

@test "the version is the same in the programs and in the Debian package" {
    version=$("$MAILRECV" -V | cut -d' ' -f2)
    while read -r program _; do
        [ "$("$program" -V)" = "${program##*/} $version" ]
    done < <(program_pages)
    [[ "$(head -n1 "$SOURCE/debian/changelog")" == "mailrecv ($version) "* ]]
}

@test "make html renders all pages, which have no link to something that is not there" {
    make -s -C "$SOURCE" BUILD="$PWD/build" html >out
    (cd "$SOURCE/man" && printf '%s.html\n' *.[1-8]; echo index.html; echo manual.css) | sort >known
    (cd build/html && ls) | diff known -
    cd build/html
    python3 - *.html <<'END'
import html.parser, os, sys
class Page(html.parser.HTMLParser):
    def __init__(self, name):
        super().__init__()
        self.ids, self.links, self.open = set(), [], []
        self.feed(open(name).read())
        assert not self.open, (name, self.open)
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag not in ("meta", "link", "br", "li", "p"):
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        assert tag in ("meta", "link", "br"), tag
        self.links += [value for name, value in attributes if name == "href"]
    def handle_endtag(self, tag):
        if tag not in ("li", "p"):
            assert self.open.pop() == tag, tag
pages = {name: Page(name) for name in sys.argv[1:]}
local = 0
for name, page in pages.items():
    assert "manual.css" in page.links
    for link in page.links:
        if link.startswith("man:"):  # for the manual of the system
            assert not os.path.exists(link[4:-1].replace("(", ".") + ".html"), link
            continue
        file, _, anchor = link.partition("#")
        assert os.path.exists(file or name), (name, link)
        assert not anchor or anchor in pages[file or name].ids, (name, link)
        local += file.endswith(".html")
assert set(pages["index.html"].links) == set(pages) - {"index.html"} | {"manual.css"}
assert local >= 10, local
END
}
