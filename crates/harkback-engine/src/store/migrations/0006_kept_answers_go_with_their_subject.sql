-- Of which record a kept answer tells: the deletion of the record empties the answer and its fingerprint, and the key stays
-- used. Of an emptied answer both are x'' and the subject is NULL.
ALTER TABLE kept_answer ADD COLUMN subject_kind TEXT;
ALTER TABLE kept_answer ADD COLUMN subject_id TEXT;
CREATE INDEX kept_answer_subject ON kept_answer (account_id, subject_kind, subject_id) WHERE subject_id IS NOT NULL;

-- The answers that are there already say themselves what they tell of.
UPDATE kept_answer SET
    subject_kind = CASE WHEN json_type(CAST(body AS TEXT), '$.data.role') IS NOT NULL THEN 'message'
                        WHEN json_type(CAST(body AS TEXT), '$.data.firstName') IS NOT NULL THEN 'user'
                        WHEN json_type(CAST(body AS TEXT), '$.data.endedAt') IS NOT NULL THEN 'session'
                        WHEN json_type(CAST(body AS TEXT), '$.data.bronzeKey') IS NOT NULL THEN 'file'
                        WHEN json_type(CAST(body AS TEXT), '$.data.memoryType') IS NOT NULL THEN 'memory' END,
    subject_id = json_extract(CAST(body AS TEXT), '$.data.id')
WHERE status = 201 AND json_valid(CAST(body AS TEXT));
UPDATE kept_answer SET subject_kind = 'memory', subject_id = json_extract(CAST(body AS TEXT), '$.data.memoryID')
WHERE status = 200 AND json_valid(CAST(body AS TEXT)) AND json_type(CAST(body AS TEXT), '$.data.attempts') IS NOT NULL;
UPDATE kept_answer SET subject_id = NULL WHERE subject_kind IS NULL;

-- What they tell of may be deleted by now.
UPDATE kept_answer AS k SET fingerprint = x'', body = x'', subject_kind = NULL, subject_id = NULL
WHERE CASE subject_kind
    WHEN 'message' THEN NOT EXISTS (
        SELECT 1 FROM message m WHERE m.account_id = k.account_id AND m.id = k.subject_id AND NOT EXISTS (
            SELECT 1 FROM session s WHERE s.account_id = m.account_id AND s.id = m.session_id AND s.deleted_at IS NOT NULL))
    WHEN 'user' THEN NOT EXISTS (SELECT 1 FROM end_user u WHERE u.account_id = k.account_id AND u.id = k.subject_id)
    WHEN 'session' THEN NOT EXISTS (
        SELECT 1 FROM session s WHERE s.account_id = k.account_id AND s.id = k.subject_id AND s.deleted_at IS NULL)
    WHEN 'file' THEN NOT EXISTS (SELECT 1 FROM file f WHERE f.account_id = k.account_id AND f.id = k.subject_id)
    WHEN 'memory' THEN NOT EXISTS (
        SELECT 1 FROM memory m WHERE m.account_id = k.account_id AND m.memory_id = unhex(replace(k.subject_id, '-', '')))
    END;
