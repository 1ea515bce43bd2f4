-- The words of messages, as `words.rs` makes them: each begins with its conversation. Apart from `message`, so that a
-- reaction, which writes a message's row anew, doesn't write its words anew.
CREATE TABLE search (
    conversation TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    words TSVECTOR NOT NULL,
    PRIMARY KEY (conversation, seq)
);

CREATE INDEX search_by_words ON search USING GIN (words);
