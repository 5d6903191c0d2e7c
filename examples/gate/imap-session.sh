#!/bin/sh
# Dovecot runs this after an engineer's login (`service imap-postlogin` in dovecot.conf). The mail server itself terminates the session at
# the end of access, even with all of Lockbox stopped. The login passes the end in milliseconds since 1970. The tests run this
# file. It needs GNU date and sleep, flock, and the right to run `doveadm kick`.
if [ -n "$LOCKBOX_UNTIL" ]; then
    rest=$((LOCKBOX_UNTIL - $(date +%s%3N)))
    [ "$rest" -gt 0 ] || exit 1
    # One process waits for all sessions of this login with this end. It keeps no client connection open.
    LOCKBOX_REST="$((rest / 1000)).$(printf %03d $((rest % 1000)))"
    export LOCKBOX_REST
    flock -n "/run/dovecot/lockbox-$USER-$LOCKBOX_UNTIL" \
        sh -c 'sleep "$LOCKBOX_REST"; doveadm kick "$USER"; sleep 5; doveadm kick "$USER"; rm -f "$0"' \
        "/run/dovecot/lockbox-$USER-$LOCKBOX_UNTIL" </dev/null >/dev/null 2>&1 3>&- &
fi
# A login with read-only access has no subscriptions. With Dovecot 2.4, a login with write access has more rights. Shells drop the names of
# these settings from the environment, so they are set again here.
if [ -n "$LOCKBOX_READS" ]; then
    exec env NAMESPACE/INBOX/SUBSCRIPTIONS=no "$@"
fi
if [ -n "$LOCKBOX_RIGHTS" ]; then
    exec env "NAMESPACE/INBOX/MAILBOX/*/ACL/OWNER/RIGHTS=$LOCKBOX_RIGHTS" "$@"
fi
exec "$@"
