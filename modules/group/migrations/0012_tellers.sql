-- Which copy of the module tells a change: one at a time. Both SQLite and PostgreSQL read this.
ALTER TABLE outbox ADD COLUMN teller BIGINT NOT NULL DEFAULT 0;
