-- A sign-in that is over is kept for a day without the person's contact, so that whoever comes late can be told, and led back.
alter table sign_ins add column ended_at bigint;
