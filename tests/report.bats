# report.bats - mailrecv-report: what it counts in which logs, its four forms, days, following, hostile and endless logs
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load common
load serving

SAMPLE=$TESTS/report/sample.log

setup() {
    REPORT=${MAILRECV%/*}/mailrecv-report
    cd "$BATS_TEST_TMPDIR"
    export TZ=UTC
}

teardown() {
    [ -z "${FOLLOWER:-}" ] || kill "$FOLLOWER" 2>/dev/null || true
    stop_server
}

# The clock is at $1, and goes on from there.
at() { faketime -f "@$1" "${@:2}"; }

# A day after the sample's: the days without a year are then those before.
report() { at '2026-01-01 23:30:00' "$REPORT" "$@"; }

# A value of JSON on standard input, by an expression of Python on `r`.
value() { python3 -c 'import json, sys; r = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# Lines of a session at `$1` (such as "Thu Jan  1 09:00:00 2026"), by client $2, with a refusal.
lines() {
    printf '%s MAILRECV[1]: [%s] SMTP connection from remote host unknown [%s]\n' "$1" "$2" "$2"
    printf '%s MAILRECV[1]: [%s] ERROR: 550 No one here by that name stage=rcpt from="" line=""\n' "$1" "$2"
}

# All but the numbers of each host, which is another one by the name of the file.
all_hosts() { grep -v '^    {"host": "[^"]*", "sessions"'; }

# ---- the forms of logs ----

@test "a line is counted in each form of a log, with its day" {
    grep -v '^#' "$TESTS/fail2ban/log-forms" | sed 's/$/[192.0.2.7] ERROR: 550 No one here by that name stage=rcpt from="" line=""/' >log
    [ "$(wc -l <log)" -gt 15 ]
    report -o json -d 2025-11-01..2025-11-21 log >out
    [ "$(value 'r["totals"]["refusals"]' <out)" -eq "$(wc -l <log)" ]
    [ "$(value 'r["totals"]["log_lines_ignored"]' <out)" -eq 0 ]
    # what a client can write at most is behind the first address
    sed 's/MAILRECV/OTHER/; s/line="/&MAILRECV[1]: [192.0.2.9] ERROR: 550 x stage=rcpt /' log >others
    report -o json others >out
    [ "$(value 'r["totals"]["refusals"]' <out)" -eq 0 ]
}

@test "a day that is not in the calendar is no day, and a Feb 29 without a year belongs to the last leap year" {
    for day in 2026-02-29 2100-02-29 2026-02-30 2026-04-31 2026-13-01 2026-00-10 2026-01-00 2026-06-31.. ..2025-02-29 0000-01-01; do
        run -64 report -d "$day" "$SAMPLE"
        [[ $output == *"'$day' is no day or days"* ]]
    done
    lines 'Sun Feb 29 10:00:00 2026' 192.0.2.1 >log
    lines 'Wed Apr 31 10:00:00 2025' 192.0.2.1 >>log
    lines 'Wed Apr 30 10:61:00 2025' 192.0.2.1 >>log
    lines '2025-02-29T10:00:00 host' 192.0.2.1 >>log
    report -o json log >out
    [ "$(value 'r["totals"]["sessions"]' <out)" = 0 ]
    lines 'Feb 29 10:00:00 host' 192.0.2.1 >log
    report -o json -d 2024-02-29 log >out
    [ "$(value 'r["totals"]["sessions"]' <out)" = 1 ]
}

# ---- the four forms ----

@test "text is exactly so" {
    report "$SAMPLE" >out
    diff "$TESTS/report/sample.text" out
}

@test "JSON is exactly so, and JSON" {
    report -o json "$SAMPLE" >out
    diff "$TESTS/report/sample.json" out
    [ "$(value 'r["failures"][1]["recipient"]' <out)" = '<0x22><script>alert(1)</script>&<0x5c><0x22>@example.com' ]
    [ "$(value 'r["failures"][1]["reason"]' <out)" = "no <b> & no <0x22>, \\ and ' \\n" ]
}

@test "metrics are exactly so, and in the format of the textfile collector" {
    report -o prom "$SAMPLE" >out
    diff "$TESTS/report/sample.prom" out
    python3 - out <<'END'
import re, sys
text = open(sys.argv[1], "rb").read().decode("ascii")
assert text.endswith("\n")
kinds, helped, series, current = {}, set(), set(), None
label = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
for line in text[:-1].split("\n"):
    if m := re.fullmatch(r"# HELP (mailrecv_[a-z_]+) [^\\\n]+", line):
        assert m[1] not in helped, line
        helped.add(m[1])
    elif m := re.fullmatch(r"# TYPE (mailrecv_[a-z_]+) (counter|gauge)", line):
        assert m[1] in helped and m[1] not in kinds, line
        kinds[m[1]], current = m[2], m[1]
        assert (m[2] == "counter") == m[1].endswith("_total"), line
    else:
        m = re.fullmatch(r"(mailrecv_[a-z_]+)(\{%s(?:,%s)*\})? [0-9]+(\.[0-9]+)?" % (label, label), line)
        assert m and m[1] == current, line
        assert m[1] + (m[2] or "") not in series, line
        series.add(m[1] + (m[2] or ""))
assert set(kinds) == helped and len(series) > 50
END
}

@test "the page is well-formed, needs nothing, runs nothing, and its charts and tables show the figures" {
    report -o html "$SAMPLE" >page.html
    python3 "$TESTS/report/page.py" <page.html >out
    diff "$TESTS/report/sample.page" out
    [ "$(grep -ciE '<script|javascript:|src=|href=' page.html)" -eq 0 ]
}

@test "a log that is empty, or has nothing of the day, makes a whole picture of nothing" {
    for form in text json prom html; do
        report -o $form /dev/null >none.$form
        report -o $form -d 2020-01-01 "$SAMPLE" >other-day.$form
    done
    [ "$(head -n1 none.text)" = 'mailrecv, nothing' ]
    [ "$(grep -c '^    none$' none.text)" -eq 7 ]
    [ "$(value '[r["first"], r["totals"]["sessions"], sum(r["sessions_per_hour"]), r["ends"]]' <none.json)" = '[None, 0, 0, []]' ]
    [ "$(grep -c '^mailrecv_' none.prom)" -eq 12 ]
    python3 "$TESTS/report/page.py" <none.html | grep -qxF '0 00 0'
    # but for the lines that were read
    diff <(sed 's/57/0/; s/"log_lines_ignored": 12/"log_lines_ignored": 0/' other-day.json) none.json
}

@test "whatever a log holds, text is printable ASCII" {
    head -c 300000 /dev/urandom >noise
    { cat "$SAMPLE"; echo; cat noise; echo; sed 's/550/\x1b[31m\x07/; s/example/\xc3\xa4/g' "$SAMPLE"; } >log
    report log >out
    [ "$(LC_ALL=C grep -c '[^ -~]' out)" -eq 0 ]
    report -o html log | python3 "$TESTS/report/page.py" >page
    report -o json log | value 'r["totals"]["sessions"]' | grep -qx 12
}

# ---- which logs ----

@test "each form of the log gives the same" {
    grep -a '^Thu Jan  1 ' "$SAMPLE" | grep -avE '25:00|\[x\]|1\]$|1$|Foo' >file
    body='s/^Thu Jan  1 ([0-9:]{8}) 2026 /'
    sed -E "${body}Jan  1 \1 mail /" file >classic
    sed -E "${body}2026-01-01T\1.654321-05:00 mail.example.com /" file >rfc3339
    sed -E "${body}2026-01-01T\1+0000 mail /" file >short-iso
    sed -E "${body}2026-01-01T\1Z mail /" file >utc
    report -o json file >whole
    [ "$(value 'r["totals"]["log_lines_ignored"]' <whole)" = 0 ]
    [ "$(value '[r["totals"]["sessions"], r["first"]]' <whole)" = "[2, '2026-01-01T09:15:00']" ]
    all_hosts <whole >expected
    for form in classic rfc3339 short-iso utc; do
        report -o json $form | all_hosts | diff expected -
    done
    report -o json - <file | all_hosts | diff expected -
    report -o json <file | all_hosts | diff expected -
}

@test "a date without a year is the last such day, tomorrow included" {
    lines 'Nov 21 10:00:00 mail' 192.0.2.1 >log
    for now in '2026-11-20 12:00:00' '2026-11-21 00:00:01' '2027-11-19 23:59:59'; do
        [ "$(at "$now" "$REPORT" -o json log | value 'r["last"]')" = 2026-11-21T10:00:00 ]
    done
    [ "$(at '2026-11-19 23:59:59' "$REPORT" -o json log | value 'r["last"]')" = 2025-11-21T10:00:00 ]
    # at the turn of the year
    lines 'Jan  1 00:00:00 mail' 192.0.2.1 >log
    [ "$(at '2026-12-31 23:00:00' "$REPORT" -o json log | value 'r["last"]')" = 2027-01-01T00:00:00 ]
    lines 'Dec 31 23:59:59 mail' 192.0.2.1 >log
    [ "$(at '2027-01-01 00:00:01' "$REPORT" -o json log | value 'r["last"]')" = 2026-12-31T23:59:59 ]
}

@test "the real program's log, in a file and through syslog, says what its sessions did" {
    cat >conf <<END
domain mail.example.com
deny remotehost ^192\.0\.2\.66$
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to later@example.com pipe exit 75
deliver rcpt_to never@example.com pipe echo Not this; exit 65
END
    cat >sessions <<'END'
message() { printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@example.com>' "RCPT TO:<$1@example.com>" DATA 'Subject: x' '' text . QUIT; }
session() { "$MAILRECV" -c conf -l "$1" -P "$2" >>replies; }
for name in inbox inbox later never; do message $name | session "$1" 192.0.2.7; done
printf 'QUIT\r\n' | session "$1" 192.0.2.66
printf 'GET / HTTP/1.1\r\n\r\n' | session "$1" 2001:db8::9
END
    bash sessions "$PWD/log"
    rm inbox
    unshare -rm "$TESTS/with-syslog" out bash sessions syslog
    sed -E 's/^<[0-9]+>([A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8}) /\1 host /' out >syslog
    size=$(printf 'Subject: x\n\ntext\n' | wc -c)
    for log in log syslog; do
        "$REPORT" -o json $log >json
        python3 - json "$size" <<'END'
import json, sys
r, size = json.load(open(sys.argv[1])), int(sys.argv[2])
def rows(name):
    return [list(row.values()) for row in r[name]]
want = {"sessions": 6, "tls_sessions": 0, "logins": 0, "messages": 2, "deliveries_done": 2, "deliveries_already": 0, "deliveries_deferred": 1,
        "deliveries_refused": 1, "refusals": 4, "lockouts": 0, "log_lines_ignored": 0}
assert {k: v for k, v in r["totals"].items() if k != "log_lines"} == want, r["totals"]
assert sum(r["sessions_per_hour"]) == 6
assert rows("recipients") == [["inbox@example.com", "append", 2, 2 * size]], r
assert rows("failures") == [["deferred", "later@example.com", "the command exited with status 75", 1],
                            ["refused", "never@example.com", "Not this", 1]], r
assert rows("refused_hosts") == [["192.0.2.7", 2], ["192.0.2.66", 1], ["2001:db8::9", 1]], r
assert rows("ends") == [["quit", 5], ["http", 1]], r
assert sorted((c["command"], c["runs"]) for c in r["commands"]) == [("echo Not this; exit 65", 1), ("exit 75", 1)], r
# warnings of root's sessions, and of kernels that lack something
assert all(t["text"].startswith(("serving as root:", "sandbox: ")) for t in r["troubles"]), r
END
    done
}

@test "a delivery that the ledger has spared is none anew, and a rehearsal (-n) neither one nor refused" {
    printf 'domain mail.example.com\ndeliver rcpt_to inbox@example.com pipe exit 0\n' >conf
    printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@example.com>' 'RCPT TO:<inbox@example.com>' DATA x . QUIT |
        "$MAILRECV" -c conf -n -l "$PWD/log" -P 192.0.2.7 >replies
    grep -q ' delivery result=rehearsed ' log
    sed 's/result=rehearsed/result=already/' log >again
    [ "$(report -o json log again | value '[r["totals"][k] for k in ("deliveries_done", "deliveries_already", "deliveries_deferred", "deliveries_refused")], r["failures"], r["commands"]')" = '([0, 1, 0, 0], [], [])' ]
}

@test "what was rewritten, and what services and milters wanted and got, is no trouble; their refusals are by them" {
    for text in 'rewrite rule=3 from="a@example.com" as="b@example.com"' 'sender mta=yes ms=3 domain="example.com" last="220 x"' \
        'policy action=prepend stage=rcpt service="/s" from="" to="" text="X-A: 1"' \
        'milter action=addheader stage=end milter="/m" from="" to="" text="X-A: 1"' \
        'milter action=addrcpt stage=end milter="/m" ignored="no line names it" from="" to="x" text=""' \
        'ERROR: 550 - stage=data milter=end service=/m detail="No" from="" line=""' \
        'ERROR: 550 - stage=data milter=end service=/m detail="Never" from="" line=""'; do
        printf 'Thu Jan  1 09:00:00 2026 MAILRECV[1]: [192.0.2.1] %s\n' "$text"
    done >log
    report -o json log >out
    [ "$(value '[t["text"][:21] for t in r["troubles"]]' <out)" = "['milter action=addrcpt']" ]
    [ "$(value '[[f["reason"], f["times"]] for f in r["refusals"]]' <out)" = "[['550 by /m', 2]]" ]
}

@test "compressed logs, and several at once, in any order" {
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >a
    lines 'Fri Jan  2 09:00:00 2026' 192.0.2.2 >b
    cat a b | report -o json | all_hosts >expected
    gzip -k a; xz -k a; zstd -q a; bzip2 -k a
    for suffix in gz xz zst bz2; do
        report -o json a.$suffix b | all_hosts | diff expected -
        report -o json b a.$suffix | all_hosts | diff expected -
    done
    report -o json - b <a | all_hosts | diff expected -
}

@test "the logs of several hosts stand side by side, by the name that syslog writes or by that of the file" {
    mkdir mx3 mx4
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >mx2.example.com.log
    lines 'Thu Jan  1 10:00:00 2026' 192.0.2.1 >mx2.example.com.log.1
    gzip mx2.example.com.log.1
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >mx3/mailrecv.log
    lines '2026-01-01T09:00:00Z mx1' 192.0.2.1 >mx4/mailrecv.log
    lines 'Jan  1 09:00:00 mx3' 192.0.2.2 | head -n 1 >>mx4/mailrecv.log
    # hosts that are named alike are one, in whatever order
    report mx4/mailrecv.log mx3/mailrecv.log mx2.example.com.log mx2.example.com.log.1.gz >out
    sed -n '/^Hosts side by side$/,/^$/p' out | head -n 3 | diff - <(printf '%s\n' 'Hosts side by side' \
        '       mx1  mx2.example.com       mx3' '         1                2         2  Sessions')
    sed -n '/^Hosts side by side$/,/^$/p' out | grep -qE '^ +1 +2 +1  Refusals$'
    report -o json mx*.log* mx?/*.log >out
    [ "$(value '[(h["host"], h["sessions"], h["refusals"]) for h in r["hosts"]]' <out)" = \
        "[('mx1', 1, 1), ('mx2.example.com', 2, 2), ('mx3', 2, 1)]" ]
    report -o prom mx*.log* mx?/*.log | grep -x 'mailrecv_host_sessions_total{host="mx3"} 2'
    report -o html mx*.log* mx?/*.log | grep -F '<th class="n">mx1</th><th class="n">mx2.example.com</th><th class="n">mx3</th>'
    # of one host nothing is compared
    report mx2.example.com.log* >out
    run ! grep -q 'side by side' out
    report -o prom mx2.example.com.log | { run ! grep mailrecv_host_; }
}

@test "of very many hosts the further ones are counted together, and a name is what it looks like" {
    for i in $(seq 80); do lines "2026-01-01T09:00:00Z host$i" 192.0.2.1; done >log
    printf '2026-01-01T09:00:00Z <b>"\033\303\244 MAILRECV[1]: [192.0.2.1] SMTP connection from remote host unknown [192.0.2.1]\n' >odd
    report -o json log >out
    [ "$(value '[len(r["hosts"]), r["hosts"][-1]["host"], r["hosts"][-1]["sessions"], sum(h["sessions"] for h in r["hosts"])]' <out)" = \
        "[64, '(others)', 17, 80]" ]
    report odd log | grep -aF '  <b>"???'
    report -o html odd log | python3 "$TESTS/report/page.py" >page
    report -o json odd | value 'r["hosts"][0]["host"]' | grep -xF '<b>"???'
}

@test "a log that is missing, a directory, broken or cannot be decompressed is told, and the others count" {
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >a
    report -o json a >expected
    mkdir directory
    head -c 100000 /dev/zero | tr '\0' '\n' | gzip | head -c 60 >cut.gz
    echo nonsense >not.xz
    while IFS='|' read -r log message; do
        run --separate-stderr -66 report -o json "$log" a
        [ "$(value 'r["totals"]["sessions"]' <<<"$output")" = 1 ]
        [[ "$(tail -n1 <<<"$stderr")" == "mailrecv-report: $message" ]]
    done <<'END'
missing|missing: No such file or directory
directory|directory: Is a directory
cut.gz|cut.gz: gzip has failed, the rest is missing
not.xz|not.xz: xz has failed, the rest is missing
END
    # no such program: neither here nor anywhere
    run --separate-stderr -66 env PATH="$PWD" "$REPORT" -o json cut.gz a
    [ "$stderr" = 'mailrecv-report: cut.gz: cannot start gzip: No such file or directory' ]
    # a name is never part of a command
    cp a './-dc;touch gone.gz'
    run -66 report './-dc;touch gone.gz'
    [ ! -e gone.gz ] && [ ! -e gone ]
}

@test "a line without end is none, and those around it count" {
    { lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1; head -c 3000000 /dev/zero | tr '\0' x; echo; lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1; } >log
    [ "$(report -o json log | value '[r["totals"]["sessions"], r["totals"]["refusals"]]')" = '[2, 2]' ]
    # the end of a file ends a line, too
    printf %s "$(lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1)" >log
    [ "$(report -o json log | value '[r["totals"]["sessions"], r["totals"]["refusals"]]')" = '[1, 1]' ]
}

# ---- days, rows, memory ----

@test "-d chooses days" {
    for day in 'Wed Dec 31 23:59:59 2025' 'Thu Jan  1 00:00:00 2026' 'Fri Jan  2 12:00:00 2026' 'Sat Jan  3 12:00:00 2026'; do
        lines "$day" 192.0.2.1
    done >log
    while read -r days count; do
        [ "$(at '2026-01-02 13:00:00' "$REPORT" -d "$days" -o json log | value 'r["totals"]["sessions"]')" = "$count" ] || { echo "$days"; false; }
    done <<'END'
2025-12-31 1
2026-01-01 1
today 1
yesterday 1
yesterday..today 2
2025-12-31..2026-01-02 3
2026-01-01.. 3
..2026-01-01 2
..yesterday 2
2025-01-01..2030-12-31 4
2024-02-29 0
END
    [ "$(at '2026-01-02 13:00:00' "$REPORT" -d yesterday log | head -n1)" = 'mailrecv, 2026-01-01 00:00:00 to 2026-01-01 00:00:00' ]
    for days in '' .. tomorrow 2026 2026-1-1 2026-13-01 2026-00-01 2026-01-32 2026-01-00 20260101 2026-01-01x 2026/01/01 \
        2026-01-02..2026-01-01 2026-01-01...2026-01-02 2026-01-01..2026-01-02..2026-01-03; do
        run -64 "$REPORT" -d "$days" log
        [ "$output" = "mailrecv-report: '$days' is no day or days, see mailrecv-report -h" ]
    done
}

@test "-n bounds the tables, and the others are summed up" {
    for n in 1 2 3 4 5; do for _ in $(seq $n); do lines 'Thu Jan  1 09:00:00 2026' 192.0.2.$n; done; done >log
    report -n 2 log | sed -n '/^Most refused/,/^$/p' >out
    diff out - <<'END'
Most refused hosts
     times  host
         5  192.0.2.5
         4  192.0.2.4
         6  (others)

END
    [ "$(report -n 2 -o json log | value '[len(r["refused_hosts"]), r["refused_hosts_others"]]')" = "[2, {'times': 6}]" ]
    report -n 2 -o prom log | grep -qxF 'mailrecv_refusals_by_host_total{host="(others)"} 6'
    report -n 2 -o html log | python3 "$TESTS/report/page.py" | grep -qxF '6 | (others)'
    [ "$(report -n 5 -o json log | value '[len(r["refused_hosts"]), r["refused_hosts_others"]]')" = "[5, {'times': 0}]" ]
    for rows in '' 0 -1 4097 1x 99999999999999999999; do
        run -64 "$REPORT" -n "$rows" log
        [ "$output" = "mailrecv-report: '$rows' is no number from 1 to 4096, see mailrecv-report -h" ]
    done
}

@test "endless hosts: memory is bounded, sums are exact, the frequent one stays" {
    awk 'BEGIN {
        for (i = 0; i < 200000; i++) {
            host = i % 10 == 0 ? "192.0.2.1" : sprintf("2001:db8::%x:%x", i / 65536, i % 65536)
            printf "Thu Jan  1 09:00:00 2026 MAILRECV[1]: [%s] ERROR: 550 No one stage=rcpt from=\"\" line=\"\"\n", host
        }
    }' >log
    command time -f %M -o memory "$REPORT" -n 1 -o json log >out
    [ "$(value '[r["refused_hosts"], r["refused_hosts_others"], r["refusals"]]' <out)" = \
        "[[{'host': '192.0.2.1', 'times': 20000}], {'times': 180000}, [{'reason': '550 No one', 'stage': 'rcpt', 'times': 200000}]]" ]
    [ "$(cat memory)" -lt 20000 ] # kB
}

# ---- following, writing ----

@test "-f: the picture comes again when the file grows, is rotated, is cut" {
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >log.1
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >log
    "$REPORT" -f log.1 log >out 3>&- &
    FOLLOWER=$!
    wait_for out '^ +2  Sessions$'
    lines 'Thu Jan  1 09:00:01 2026' 192.0.2.1 >>log
    wait_for out '^ +3  Sessions$'
    mv log log.2
    lines 'Thu Jan  1 09:00:02 2026' 192.0.2.1 >log
    wait_for out '^ +4  Sessions$'
    : >log
    lines 'Thu Jan  1 09:00:03 2026' 192.0.2.1 | head -n1 >log
    wait_for out '^ +5  Sessions$'
    kill "$FOLLOWER"
    wait "$FOLLOWER" || [ $? -eq 143 ]
    FOLLOWER=
    # whole pictures, with a form feed between them
    [ "$(grep -c $'^\f$' out)" -eq 3 ]
    [ "$(grep -c '^mailrecv, ' out)" -eq 4 ]
    [ "$(grep -c '^Troubles$' out)" -eq 4 ]
}

@test "-f of a pipe ends with it, and a line counts when it is whole" {
    mkfifo pipe
    "$REPORT" -f <pipe >out 3>&- &
    FOLLOWER=$!
    exec 5>pipe
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >&5
    wait_for out '^ +1  Refusals$'
    printf 'Thu Jan  1 09:00:00 2026 MAILRECV[1]: [192.0.2.1] ERR' >&5
    printf 'OR: 550 x stage=rcpt from="" line=""\n' >&5
    wait_for out '^ +2  Refusals$'
    exec 5>&-
    wait "$FOLLOWER"
    FOLLOWER=
    [ "$(grep -c '^ *0  Lines that are not' out)" -eq "$(grep -c '^mailrecv, ' out)" ]
}

@test "-f -d today begins anew at midnight" {
    mkfifo pipe
    at '2026-01-01 23:59:56' "$REPORT" -f -d today <pipe >out 3>&- &
    FOLLOWER=$!
    exec 5>pipe
    lines 'Thu Jan  1 23:00:00 2026' 192.0.2.1 >&5
    wait_for out '^ +1  Sessions$'
    grep '^mailrecv, ' out >before # perhaps one with nothing, from before the line came
    until [ "$(grep '^mailrecv, ' out | tail -n +$(($(wc -l <before) + 1)) | grep -c nothing)" -gt 0 ]; do
        sleep 0.1
    done
    lines 'Fri Jan  2 00:00:02 2026' 192.0.2.2 >&5
    exec 5>&-
    wait "$FOLLOWER"
    FOLLOWER=
    [ "$(grep '^mailrecv, ' out | tail -n1)" = 'mailrecv, 2026-01-02 00:00:02 to 2026-01-02 00:00:02' ]
    [ "$(grep -cE '^ +1  192\.0\.2\.1$' out)" -eq 1 ]
    [ "$(grep -cE '^ +1  192\.0\.2\.2$' out)" -eq 1 ]
}

@test "-w: whoever reads the file finds a whole picture, at any moment" {
    umask 022
    report -o json -w file "$SAMPLE" >out
    [ ! -s out ]
    diff "$TESTS/report/sample.json" file
    [ "$(stat -c %a file)" = 644 ]
    ln file former
    report -o prom -w file "$SAMPLE"
    diff "$TESTS/report/sample.prom" file
    diff "$TESTS/report/sample.json" former # what somebody reads does not change under him
    # followed, too
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >log
    "$REPORT" -f -o prom -w file log 3>&- &
    FOLLOWER=$!
    wait_for file '^mailrecv_sessions_total 1$'
    lines 'Thu Jan  1 09:00:00 2026' 192.0.2.1 >>log
    wait_for file '^mailrecv_sessions_total 2$'
    kill "$FOLLOWER"
    wait "$FOLLOWER" || [ $? -eq 143 ]
    FOLLOWER=
    [ "$(ls)" = $'file\nformer\nlog\nout' ]
}

@test "what cannot be written is told, status 74, and leaves nothing behind" {
    run -74 bash -c '"$1" "$2" >/dev/full' bash "$REPORT" "$SAMPLE"
    [ "$output" = 'mailrecv-report: cannot write standard output: No space left on device' ]
    run -74 "$REPORT" -w missing/file "$SAMPLE"
    [ "$output" = 'mailrecv-report: cannot write missing/file: No such file or directory' ]
    mkdir directory
    run -74 "$REPORT" -w directory "$SAMPLE"
    [ "$output" = 'mailrecv-report: cannot write directory: Is a directory' ]
    [ "$(ls)" = directory ]
}

@test "the command line: mistakes are told, status 64" {
    gzip -c "$SAMPLE" >log.gz
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086 # words on purpose
        run -64 "$REPORT" $arguments </dev/null
        [ "$output" = "mailrecv-report: $message, see mailrecv-report -h" ]
    done <<'END'
-x|unknown option '-x'
-d|option '-d' needs a value
-o pdf log|'pdf' is no form
-f log.gz|log.gz is compressed and cannot be followed
END
    run -64 script -qec "$REPORT" /dev/null </dev/null
    [ "$output" = $'mailrecv-report: no LOGFILE is given, and standard input is a terminal, see mailrecv-report -h\r' ]
    [ "$("$REPORT" -V)" = "mailrecv-report $("$MAILRECV" -V | cut -d' ' -f2)" ]
}

@test "the manual page is clean, has the options of -h, the members of JSON and the numbers of the program" {
    page=$TESTS/../man/mailrecv-report.1
    run -0 mandoc -Tlint -Wwarning "$page"
    [ "$output" = "" ]
    [[ "$(head -n1 "$page")" == '.\" mailrecv-report.1 - '* ]]
    "$REPORT" -h | grep -oE '^  -[a-zA-Z]' | tr -d ' -' | sort >known
    sed -n 's/^\.It Fl \([a-zA-Z]\).*/\1/p' "$page" | sort | diff known -
    report -o json "$SAMPLE" | value '"\n".join(k for k in r if not k.endswith("_others"))' | sort >known
    sed -n '/^\.Ss JSON/,/^\.Ss Metrics/s/^\.Cm \([a-z_]*\).*/\1/p' "$page" | sort | diff known -
    grep -q '^Of each table 4096 rows .* the 2048 that$' "$page"
    grep -q 'TOP_ROWS = 4096,' "$TESTS/../programs/report/top.h"
    grep -q '^Each part of a row is cut after 160 characters' "$page"
    grep -q 'PART = 160 }' "$TESTS/../programs/report/tally.c"
}
