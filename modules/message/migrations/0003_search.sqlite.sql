-- The words of messages, as `words.rs` makes them: each begins with its conversation. No text is stored a second time. A
-- word says of itself which message it is in (`words::place`), so nothing hangs on the row numbers of `message`, which may
-- change.
CREATE VIRTUAL TABLE search USING fts5 (
    words,
    conversation UNINDEXED,
    seq UNINDEXED,
    sent_at UNINDEXED,
    content = '',
    contentless_delete = 1,
    contentless_unindexed = 1,
    detail = none,
    tokenize = "ascii tokenchars '-'"
);
