-- What wrong passwords cost, for every copy of the module. Both SQLite and PostgreSQL read this.

-- The budgets against guessing of which something is spent. It has no index beside its key: only who removes what is whole again
-- asks for times, once a minute, and has few rows to look at, for each cost the hashing of a password.
CREATE TABLE guessing (
    -- Which budget, and whose.
    budget TEXT PRIMARY KEY,
    -- When all of it is back.
    whole_at BIGINT NOT NULL
);
