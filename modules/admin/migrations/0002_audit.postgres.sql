-- The audit log grows, and that is all: nothing in it is changed or removed, whoever tries.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log can''t be changed';
END $$;

CREATE TRIGGER audit_not_changed BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_outcome_not_changed BEFORE UPDATE OR DELETE ON audit_outcome
FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_outcome_not_emptied BEFORE TRUNCATE ON audit_outcome
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
