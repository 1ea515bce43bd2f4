-- The words of messages, as `words.rs` makes them: each begins with its conversation. Apart from `message`, so that a
-- reaction, which writes a message's row anew, doesn't write its words anew.
CREATE TABLE search (
    conversation TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    words TSVECTOR NOT NULL,
    PRIMARY KEY (conversation, seq)
);

-- What waits to be sorted into the index is read by every search, once for each conversation; 512 kB of it at most, and not 4 MB.
CREATE INDEX search_by_words ON search USING GIN (words) WITH (gin_pending_list_limit = 512);
