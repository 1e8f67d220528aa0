-- Which keys the secrets in a snapshot stand under, and how many under each: a key that went takes the way back to a snapshot with
-- it, so whoever asks whether a key may go is told. JSON, counted when the copy is made; null in older snapshots.
alter table snapshots add column sealed_under text;
