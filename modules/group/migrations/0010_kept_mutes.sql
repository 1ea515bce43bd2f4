-- Members who left, or were put out, while they were muted alone: they are muted again if they come back before it ends. Nobody
-- is here and a member at once. Both SQLite and PostgreSQL read this.
CREATE TABLE kept_mute (
    group_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    muted_until BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX kept_mute_by_user ON kept_mute (user_id, group_id);
