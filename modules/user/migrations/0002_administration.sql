-- What administration needs. Both SQLite and PostgreSQL read this.

-- When the account last came or went; who is online is seen now. Who never signed in was seen signing up. It has no index, nor
-- has `created_at`: whoever looks for accounts by them goes through all accounts once, by id, and an index would cost each
-- sign-in.
ALTER TABLE account ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT 0;
UPDATE account SET last_seen_at = created_at;
UPDATE account SET last_seen_at = (SELECT MAX(seen_at) FROM known_address WHERE known_address.account = account.id)
    WHERE EXISTS (SELECT 1 FROM known_address WHERE known_address.account = account.id);

-- Until when the account is kept out, and why; both absent when it isn't.
ALTER TABLE account ADD COLUMN banned_until BIGINT;
ALTER TABLE account ADD COLUMN ban_reason TEXT;

-- 1 for the platform's own account, with which nobody signs in.
ALTER TABLE account ADD COLUMN is_system BIGINT NOT NULL DEFAULT 0;

-- Who has which role: 'operator', 'moderator' or 'auditor'.
CREATE TABLE staff (
    account BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (account, role)
);
