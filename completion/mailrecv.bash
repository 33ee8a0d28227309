# mailrecv.bash - completion for bash: options and values of mailrecv and the programs beside it
#
# Installed as share/bash-completion/completions/mailrecv, or read it in ~/.bashrc. The options are those
# that the program's own -h shows; what a value can be is said below, by its name there.
# shellcheck shell=bash

# Prints what -h of program $1 says.
_mailrecv_help() { PATH=$PATH:/usr/local/sbin:/usr/sbin "${1/#\~\//$HOME/}" -h 2>/dev/null </dev/null; }

# Sets COMPREPLY to the values that begin with $2: $1 is the name of the value, $3 the help.
_mailrecv_values() {
    local words=
    case $1 in
    FILE | LOGFILE) ;;
    WHERE) words='syslog stderr' ;;
    FLAGS) words=$(sed -nE 's/.*debug flags, any of ([^,]+),.*/\1/p' <<<"$3" | grep -o .) ;;
    METHOD) words='yescrypt gost-yescrypt scrypt bcrypt sha512crypt sha256crypt' ;;
    VERSION) words='1.2 1.3' ;;
    FORM) words='text html json prom' ;;
    DAYS) words='today yesterday' ;;
    HOST) mapfile -t COMPREPLY < <(compgen -A hostname -- "$2") && return ;;
    USER) mapfile -t COMPREPLY < <(compgen -u -- "$2") && return ;;
    WORDS) words=$(sed -E '/^$/,$d; s/usage:|mailrecv[a-z-]*|-[A-Za-z]( [^][ ]*)?//g' <<<"$3" | grep -oE '\b[a-z]+\b') ;;
    PROGRAM) mapfile -t COMPREPLY < <(compgen -c -- "$2") && return ;;
    *) return ;; # whatever somebody likes
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
    case $1 in
    FILE | LOGFILE | WHERE)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$2")
        compopt -o filenames 2>/dev/null || true ;;
    esac
}

_mailrecv() { # PROGRAM WORD WORD-BEFORE
    local help options value=
    help=$(_mailrecv_help "$1")
    options=$(sed -nE 's/^  (-[A-Za-z])( ([^ ]+))?  .*/\1 \3/p' <<<"$help")
    COMPREPLY=()
    case $3 in
    -[A-Za-z]) value=$(sed -n "s/^$3 //p" <<<"$options") ;;
    esac
    if [ -n "$value" ]; then
        _mailrecv_values "$value" "$2" "$help"
    elif [[ $2 == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$options")" -- "$2")
    else # what is no option, as the lines of usage have it: files, a program, or words
        value=$(sed -nE 's/.*\[(PROGRAM|LOGFILE)[ .].*/\1/p' <<<"$help" | head -n1)
        _mailrecv_values "${value:-WORDS}" "$2" "$help"
    fi
}

complete -F _mailrecv mailrecv mailrecv-checkpassword mailrecv-lookup mailrecv-publish mailrecv-report mailrecv-tls
