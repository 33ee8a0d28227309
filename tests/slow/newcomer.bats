# newcomer.bats - somebody follows README, from git clone to a ban, where nothing was installed before
# shellcheck shell=bash
#
# A part of `make check`, which needs root: tree.bash says why. What is typed is read from README: no copy
# of it is here.

load ../common
load tree

# The sections that are followed, in the order of README.
path='Setting it up|With xinetd|Trying it|Keeping guessers out: fail2ban'

setup() {
    cd "$BATS_TEST_TMPDIR"
    fresh_tree tree
}

# What README says is typed, as a script: indented blocks are commands, but for lines of the log, which begin
# with "..."; the fence `conf` is what to write into mailrecv.conf, and `smtp` a command, what is typed into
# it, and the replies that it prints. What is said to come `# a second later: ...` is waited for, as a person does.
typed() {
    awk -v path="^#+ ($path)\$" '
        /^#/ && !fence { on = $0 ~ path; found += on; next }
        !on { next }
        /^```/ && fence { print "END-OF-FENCE" after; fence = 0; next }
        /^```conf$/ { print "cat >/etc/mailrecv.conf <<\"END-OF-FENCE\""; after = ""; fence = 1; next }
        /^```smtp$/ { getline; sub(/^\$ /, ""); after = "\nlistening\ngrep -v ^[0-9] printed | timeout 20 " $0 " >heard"
                      print "cat >printed <<\"END-OF-FENCE\""; fence = 1; next }
        /^```/ { print "exit 99 # unknown fence"; next }
        fence { print; next }
        /^    \.\.\. / { print "echo " quoted(substr($0, 9)) " >>shown"; next }
        /^    .*# a second later: / { print "later " quoted(substr($0, 5)); next }
        /^    / { print substr($0, 5) }
        END { print "followed=" found }
        function quoted(text) { gsub(/\047/, "\047\\\047\047", text); return "\047" text "\047" }' "$TESTS/../README.md"
}

# The ten questions of README: each command as it is printed, with its output in answer.1 to answer.10. There is
# mail for a script that fails, so that there is something to ask about.
questions() {
    cat <<'END'
cat >>/etc/mailrecv.conf <<'CONF'
deliver rcpt_to tickets@example.com pipe exit 75
deadletter_file /var/lib/mailrecv/dead.letter
CONF
printf '%s\n' 'HELO me' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<tickets@example.com>' DATA 'Subject: x' '' text . QUIT |
    mailrecv -P 192.0.2.7 -u mailrecv
END
    sed -n '/^## Ten questions/,/^## /s/^| .*? | `\(.*\)` |$/\1/p' "$TESTS/../README.md" |
        awk '{ print $0 " >answer." NR " 2>&1 || echo \"status $?\" >>answer." NR }'
    echo 'tail -n 1 /etc/mailrecv.conf >>answer.10; echo answered'
}

# What the answers must say, in their order.
answers() {
    cat <<'END'
250 2.1.5 Recipient ok
delivery result=deferred .* from="ann@client.example"
this line decides
note: no user
/etc/mailrecv/tls/cert.pem
SENDER=ann@client.example
^220 mail.example.com
1 deferred from="ann@client.example" to="tickets@example.com"
203\.0\.113\.9
^debug rs$
END
}

@test "a newcomer has mail, a log and a ban within a quarter of an hour, by the lines of README" {
    echo 'APT::Get::Assume-Yes "true";' >tree/etc/apt/apt.conf.d/yes # whoever types says yes
    # the repository, as it is now
    mkdir repository
    tar -C "$TESTS/.." -c --exclude=./build --exclude='./build-*' --exclude=./.git . | tar -C repository -x
    git -C repository init -q
    git -C repository add -A
    git -C repository -c user.name=x -c user.email=x@example.com commit -q -m x
    git clone -q --bare repository tree/root/REPOSITORY
    {
        cat <<'END'
# xinetd begins to listen when the command that starts it has ended; a person is slower than that
listening() {
    for _ in $(seq 300); do
        ! cat /proc/net/tcp* | grep -q ':0019 .* 0A ' || return 0
        sleep 0.1
    done
    return 1
}
later() { # LINE
    for _ in $(seq 300); do
        ! eval "$1" | tr -s '[:blank:]' ' ' | grep -F -e "${1##*# a second later: }" || return 0
        sleep 0.1
    done 2>/dev/null
    return 1
}
PS4="+ \$SECONDS s: "
set -ex
END
        typed
        cat <<'END'
set +x
for _ in $(seq 200); do # as often as it takes fail2ban to look
    fail2ban-client status mailrecv >status
    ! grep -q 'Banned IP list:.*203' status || break
    sleep 0.1
done
cat status
# the kernel turns this client away, and no other
python3 - <<'PYTHON'
import socket
def connect(source):
    with socket.create_connection(("192.0.2.1", 25), 20, (source, 0)) as s:
        return s.recv(3)
assert connect("192.0.2.7") == b"220"
try:
    raise SystemExit("the banned client is connected: %r" % connect("203.0.113.9"))
except ConnectionRefusedError:
    print("banned")
PYTHON
END
        questions
    } >tree/root/typed
    begin=$SECONDS
    in_tree tree bash -c 'cd && exec bash typed' >out 2>&1 </dev/null || { tail -n 40 out; return 1; }
    echo "# by README from nothing to a ban and ten answers: $((SECONDS - begin)) s" >&3
    [ $((SECONDS - begin)) -lt 900 ]
    cd tree/root/mailrecv
    [ "$(grep -c '^git clone ' ../typed)" -eq 1 ]
    # all sections were there, and what they are about has happened
    grep -qx "followed=4" ../typed
    same='s/delivered as [0-9a-f.]+/delivered as ID/; s/\r$//'
    diff <(grep '^[0-9]' printed | sed -E "$same") <(sed -E "$same" heard)
    [ "$(wc -l <printed)" -eq 18 ]
    diff <(tail -n4 ../../var/lib/mailrecv/inbox) <(printf 'Subject: hello\n\nIt works.\n\n')
    [ "$(wc -l <shown)" -eq 4 ]
    known='s/.*MAILRECV\[[0-9]+\]: \[[0-9a-f.:]+\] //; s/ \[127\.0\.0\.1\]$//; s/ (id|secs)=[^ ]*//g; s/ \.\.\.$//'
    sed -E "$known" ../../var/log/mailrecv.log >log
    sed -E "$known" shown | while IFS= read -r line; do grep -qF -e "$line" log || { echo "not in the log: $line"; cat log; return 1; }; done
    grep -qE 'Banned IP list:\s*203\.0\.113\.9$' status
    grep -q "Banned IP list: 203\.0\.113\.9" ../typed
    grep -qx banned "$BATS_TEST_TMPDIR/out"
    [ "$(tail -n1 "$BATS_TEST_TMPDIR/out")" = answered ]
    n=0
    while IFS= read -r pattern; do
        n=$((n + 1))
        grep -qE -e "$pattern" answer.$n || { echo "question $n"; cat answer.$n; return 1; }
    done < <(answers)
    [ "$n" -eq 10 ]
}
