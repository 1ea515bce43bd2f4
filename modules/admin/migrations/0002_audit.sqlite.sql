-- The audit log grows, and that is all: nothing in it is changed or removed, whoever tries.
CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log can''t be changed'); END;
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log can''t be changed'); END;
-- INSERT OR REPLACE would delete without asking the trigger above.
CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit log can''t be changed'); END;

CREATE TRIGGER audit_outcome_not_changed BEFORE UPDATE ON audit_outcome
BEGIN SELECT RAISE(ABORT, 'the audit log can''t be changed'); END;
CREATE TRIGGER audit_outcome_not_deleted BEFORE DELETE ON audit_outcome
BEGIN SELECT RAISE(ABORT, 'the audit log can''t be changed'); END;
-- The first outcome stands.
CREATE TRIGGER audit_outcome_not_replaced BEFORE INSERT ON audit_outcome
WHEN EXISTS (SELECT 1 FROM audit_outcome WHERE entry = NEW.entry)
BEGIN SELECT RAISE(IGNORE); END;
