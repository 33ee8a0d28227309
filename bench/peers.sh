# peers.sh - other programs that take a message by SMTP and put it into a file, as subjects for bench/run
#
# They come from Debian's packages and are unpacked, not installed: a machine has one mail server, and
# the benchmark leaves it alone. Each accepts mail for example.com and delivers it below $DIR; nothing
# about them is tuned, except that they ask no DNS. What a peer cannot do here is said. To be known when
# reading the figures: msmtpd does not sync; exim keeps its 221 back until the client closes, 0.2 s at
# most, so only its figure up to the 250 is its own work; Postfix runs already when a client connects.
# shellcheck shell=bash

PEER_PACKAGES='msmtp-mta exim4-daemon-light mailfront postfix'

# Unpacks the packages into directory $1.
unpack_peers() {
    local package
    [ ! -e "$1/.done" ] || return 0
    mkdir -p "$1"
    for package in $PEER_PACKAGES; do
        (cd "$1" && apt-get -qq download "$package" 2>/dev/null) || {
            echo "peers: cannot download $package, left out" >&2
            continue
        }
        dpkg-deb -x "$1/$package"_*.deb "$1"
    done
    rm -f "$1"/*.deb
    : >"$1/.done"
}

# Exim and Postfix insist on their users. They get them in a mount namespace of our own, where
# /etc/passwd is a copy with a few lines more. Without the right to make one they are left out.
have_users() { getent passwd Debian-exim && getent passwd postfix && getent group postdrop; } >/dev/null

add_users() { # DIRECTORY; to be called in a mount namespace
    {
        cat /etc/passwd
        printf '%s:x:%d:%d::/nonexistent:/bin/false\n' Debian-exim 64901 64901 postfix 64902 64902
    } >"$1/passwd"
    {
        cat /etc/group
        printf '%s:x:%d:\n' Debian-exim 64901 postfix 64902 postdrop 64903
    } >"$1/group"
    mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group
}

exim_conf() {
    cat <<END
primary_hostname = mail.example.com
exim_user = $OWNER
exim_group = $GROUP
never_users =
spool_directory = $DIR/exim
log_file_path = $DIR/exim/log-%s
message_size_limit = 1G
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
acl_smtp_rcpt = accept domains = example.com
deliver_drop_privilege = true
keep_environment =
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = $DIR/inbox.exim
  user = $OWNER
  group = $GROUP
END
}

# Lines for the driver, of the peers that one program per connection serves.
peer_subjects() {
    local root=$1

    [ ! -x "$root/usr/bin/msmtpd" ] ||
        echo "msmtpd $DIR/inbox.msmtpd $root/usr/bin/msmtpd --inetd --command=cat>>$DIR/inbox.msmtpd;:"
    if [ -x "$root/usr/sbin/mailfront" ]; then
        mkdir -p "$DIR/mailfront/tmp" "$DIR/mailfront/new"
        echo "mailfront $DIR/mailfront/new $root/usr/sbin/mailfront smtp queuedir counters add-received accept"
    fi
    if [ -x "$root/usr/sbin/exim4" ] && have_users; then
        mkdir -p "$DIR/exim"
        exim_conf >"$DIR/exim.conf"
        echo "exim $DIR/inbox.exim $root/usr/sbin/exim4 -bs -odf -C $DIR/exim.conf"
    fi
}

postfix_main() { # ROOT
    cat <<END
compatibility_level = 3.6
command_directory = $1/usr/sbin
daemon_directory = $1/usr/lib/postfix/sbin
meta_directory = $DIR/postfix
queue_directory = $DIR/postfix/queue
data_directory = $DIR/postfix/data
shlib_directory = no
import_environment = MAIL_CONFIG LD_LIBRARY_PATH=$1/usr/lib/postfix
maillog_file = $DIR/postfix/log
maillog_file_prefixes = $DIR
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = $DIR/postfix/mail
virtual_mailbox_maps = static:inbox
virtual_uid_maps = static:$(id -u "$OWNER")
virtual_gid_maps = static:$(id -g "$OWNER")
virtual_minimum_uid = 1
message_size_limit = 0
virtual_mailbox_limit = 0
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
END
}

postfix_master() { # PORT
    cat <<END
127.0.0.1:$1 inet n - n - 300 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
}

# Starts Postfix on a free port, as root only; prints its line for the driver. start_postfix ROOT.
start_postfix() {
    local root=$1 base=$DIR/postfix name port

    [ -x "$root/usr/lib/postfix/sbin/master" ] || return 0
    { [ "$(id -u)" -eq 0 ] && have_users; } || { echo "postfix: runs as root only, left out" >&2; return 0; }
    mkdir -p "$base/data" "$base/mail" "$base/queue/public" "$base/queue/maildrop" "$base/queue/pid"
    for name in active bounce corrupt defer deferred flush hold incoming private saved trace; do
        mkdir -m 700 "$base/queue/$name"
        chown postfix "$base/queue/$name"
    done
    chown postfix "$base/data"
    chown "$OWNER" "$base/mail"
    chown postfix:postdrop "$base/queue/public" "$base/queue/maildrop"
    chmod 710 "$base/queue/public"
    chmod 730 "$base/queue/maildrop"
    for port in ${POSTFIX_PORTS:-20125 20225 20325 20425}; do
        ! listening "$port" 4 || continue
        postfix_main "$root" >"$base/main.cf"
        postfix_master "$port" >"$base/master.cf"
        LD_LIBRARY_PATH=$root/usr/lib/postfix "$root/usr/lib/postfix/sbin/master" -c "$base" -w \
            >"$base/start.log" 2>&1 </dev/null || continue
        await_listener "$port" || continue
        echo "postfix $base/mail/inbox @$port"
        return 0
    done
    echo "postfix: does not start, left out" >&2
}

await_listener() { # PORT
    local i
    for i in $(seq 500); do
        ! listening "$1" 4 || return 0
        sleep 0.02
    done
    return 1
}

stop_postfix() {
    local pid
    [ -s "$DIR/postfix/queue/pid/master.pid" ] || return 0
    pid=$(tr -d ' \n' <"$DIR/postfix/queue/pid/master.pid")
    ! kill "$pid" 2>/dev/null || while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}
