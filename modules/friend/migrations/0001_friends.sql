-- What stands between two users: a row for each pair that has, or had, something to do with each other.
-- Each fact is the moment since when it holds, in milliseconds since 1970, and NULL while it doesn't.
CREATE TABLE relation (
    a BIGINT NOT NULL,
    b BIGINT NOT NULL,
    asked_by_a BIGINT,
    asked_by_b BIGINT,
    friends BIGINT,
    blocked_by_a BIGINT,
    blocked_by_b BIGINT,
    version BIGINT NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
);

CREATE INDEX relation_by_b ON relation (b);

-- The same, as each of the two sees it. Whoever blocks a user doesn't see that this user asked.
CREATE VIEW entry (me, other, kind, since) AS
    SELECT a, b, 'friend', friends FROM relation WHERE friends IS NOT NULL
    UNION ALL SELECT b, a, 'friend', friends FROM relation WHERE friends IS NOT NULL
    UNION ALL SELECT a, b, 'outgoing', asked_by_a FROM relation WHERE asked_by_a IS NOT NULL
    UNION ALL SELECT b, a, 'outgoing', asked_by_b FROM relation WHERE asked_by_b IS NOT NULL
    UNION ALL SELECT a, b, 'incoming', asked_by_b FROM relation WHERE asked_by_b IS NOT NULL AND blocked_by_a IS NULL
    UNION ALL SELECT b, a, 'incoming', asked_by_a FROM relation WHERE asked_by_a IS NOT NULL AND blocked_by_b IS NULL
    UNION ALL SELECT a, b, 'blocked', blocked_by_a FROM relation WHERE blocked_by_a IS NOT NULL
    UNION ALL SELECT b, a, 'blocked', blocked_by_b FROM relation WHERE blocked_by_b IS NOT NULL;

-- Gates that the message module has not confirmed yet. It stands alone: a forgotten relation still has to be told.
CREATE TABLE gate_outbox (
    a BIGINT NOT NULL,
    b BIGINT NOT NULL,
    open BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (a, b)
);
