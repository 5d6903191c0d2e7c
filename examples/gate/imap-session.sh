#!/bin/sh
# What Dovecot runs after an engineer's login (`service imap-postlogin` in dovecot.conf): the session is cut at the end of
# access by the mail server itself, whether or not anything of Lockbox runs by then. The end comes from the login, in
# milliseconds since 1970. The tests run this very file. Needs date and sleep of GNU, flock, and the right to kick.
if [ -n "$LOCKBOX_UNTIL" ]; then
    rest=$((LOCKBOX_UNTIL - $(date +%s%3N)))
    [ "$rest" -gt 0 ] || exit 1
    # One waits for all sessions of this login that end at this moment; it holds no line of a client open.
    LOCKBOX_REST="$((rest / 1000)).$(printf %03d $((rest % 1000)))"
    export LOCKBOX_REST
    flock -n "/run/dovecot/lockbox-$USER-$LOCKBOX_UNTIL" \
        sh -c 'sleep "$LOCKBOX_REST"; doveadm kick "$USER"; sleep 5; doveadm kick "$USER"; rm -f "$0"' \
        "/run/dovecot/lockbox-$USER-$LOCKBOX_UNTIL" </dev/null >/dev/null 2>&1 3>&- &
fi
# Whoever only reads has no subscriptions; with Dovecot 2.4 whoever may write has more rights. The login says so under names
# that shells drop, so it is said again here.
if [ -n "$LOCKBOX_READS" ]; then
    exec env NAMESPACE/INBOX/SUBSCRIPTIONS=no "$@"
fi
if [ -n "$LOCKBOX_RIGHTS" ]; then
    exec env "NAMESPACE/INBOX/MAILBOX/*/ACL/OWNER/RIGHTS=$LOCKBOX_RIGHTS" "$@"
fi
exec "$@"
