#!/usr/bin/env bats
# completion.bats - TAB in bash and zsh: options, files and words, as the programs and their help have them

load common

programs=(mailrecv mailrecv-checkpassword mailrecv-lookup mailrecv-publish mailrecv-report mailrecv-tls)

setup() {
    cd "$BATS_TEST_TMPDIR"
    export PATH=${MAILRECV%/*}:$PATH
    mkdir -p files/directory
    touch 'files/file one' files/file2 files/other
    (umask 022 && : >empty.conf)
    cd files || return
}

# What bash offers for a line, the last word of which is to be completed; a word per line.
in_bash() { # LINE
    # shellcheck disable=SC2016 # for the shell inside
    bash --norc -c '
        . "$1"
        read -r -a words <<<"$2"
        [[ $2 != *" " ]] || words+=("")
        [[ $(complete -p "${words[0]##*/}") == *" -F _mailrecv "* ]] || exit 1
        _mailrecv "${words[0]}" "${words[-1]}" "${words[-2]}"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$TESTS/../completion/mailrecv.bash" "$1" | sed '/^$/d' | LC_ALL=C sort -u
}

in_zsh() { timeout 60 "$TESTS/tools/zsh-complete" "$TESTS/../completion" "$1" | LC_ALL=C sort -u; }

# Both shells offer the words of standard input, and nothing else, for a line.
offered() { # LINE
    LC_ALL=C sort >../expected
    in_bash "$1" | diff ../expected - || { echo "bash: $1"; return 1; }
    in_zsh "$1" | diff ../expected - || { echo "zsh: $1"; return 1; }
}

words() { tr ' ' '\n' <<<"$1"; }

@test "the options of each program are those of its help" {
    for program in "${programs[@]}"; do
        "$program" -h | sed -nE 's/^  (-.) .*/\1/p' >../options
        [ "$(wc -l <../options)" -ge 3 ]
        offered "$program -" <../options
    done
}

@test "files are offered where a file is wanted, with whatever blanks" {
    printf '%s\n' 'file one' file2 | offered 'mailrecv -c file'
    words 'directory file2 other stderr syslog' | cat - <(echo 'file one') | offered 'mailrecv -l '
    printf '%s\n' 'file one' file2 | offered 'mailrecv-report file'
    words 'file2' | offered 'mailrecv-checkpassword -t -f file2'
}

@test "words are offered where one of a few is wanted, all of them right" {
    words 'a c f F h l r s w +' | offered 'mailrecv -d '
    words 'stderr' | offered 'mailrecv -t -l std'
    words 'text html json prom' | offered 'mailrecv-report -o '
    words 'today' | offered 'mailrecv-report -d to'
    words 'root' | offered 'mailrecv -t -u roo'
    words 'json' | offered 'mailrecv -S js'
    words '1.2 1.3' | offered 'mailrecv-tls -m '
    words 'yescrypt gost-yescrypt scrypt bcrypt sha512crypt sha256crypt' | offered 'mailrecv-checkpassword -p -m '
    for flag in $(in_bash 'mailrecv -d '); do mailrecv -t -c ../empty.conf -d "$flag"; done
    for form in $(in_bash 'mailrecv-report -o '); do mailrecv-report -o "$form" -d today ../empty.conf; done
    for method in $(in_bash 'mailrecv-checkpassword -m '); do echo secret | mailrecv-checkpassword -p -m "$method"; done
}

@test "programs are offered to mailrecv-checkpassword, and nothing where all is possible" {
    mkdir bin
    printf '#!/bin/sh\n' >bin/a-program-of-mine
    chmod 755 bin/a-program-of-mine
    PATH=$PWD/bin:$PATH
    words a-program-of-mine | offered 'mailrecv-checkpassword a-program-o'
    offered 'mailrecv -P 192' </dev/null
}

@test "a program that is not there offers nothing, and says nothing" {
    run in_bash "$PWD/nowhere/mailrecv -"
    [ "$output" = "" ]
    run in_zsh "$PWD/nowhere/mailrecv -"
    [ "$output" = "" ]
}
