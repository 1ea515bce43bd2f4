-- What administration needs. One statement text for SQLite and PostgreSQL.

-- Of a conversation, `open` may also be 2: one of the two is the platform's own account, which alone writes there.

-- To whom a campaign was sent, and where it stands. Apart from `message`, so that what people send costs nothing more. `received`
-- is 1 once a client of the user said so.
CREATE TABLE campaign_message (
    campaign BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    conversation TEXT NOT NULL,
    seq BIGINT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (campaign, user_id)
);

CREATE INDEX campaign_message_not_received ON campaign_message (conversation, seq) WHERE received = 0;

-- Who can't write anywhere, until when.
CREATE TABLE silence (
    user_id BIGINT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

-- Each batch of sends asks whether anybody at all is silenced.
CREATE INDEX silence_by_until ON silence (until);
