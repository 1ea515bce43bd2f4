-- Members of groups who left, or were put out, while they were muted alone: they are muted again if they come back before it
-- ends. Nobody is here and a member at once. One statement text for SQLite and PostgreSQL.
CREATE TABLE kept_mute (
    conversation TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    muted_until BIGINT NOT NULL,
    PRIMARY KEY (conversation, user_id)
);
