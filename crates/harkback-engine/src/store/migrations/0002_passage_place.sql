-- Where in its file a passage stands, as JSON: {"page":3}, {"slide":2}, {"sheet":"Prices"}, {"chapter":"…"}, {"seconds":62}.
ALTER TABLE passage ADD COLUMN place TEXT;
