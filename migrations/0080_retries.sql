-- A message whose consumer asked for another try later (a mail that the mail server did not take) waits by intention. Without
-- a column for that, it looked like a message that nobody consumes, and raised that alarm.

alter table outbox add column retry_at timestamptz;
