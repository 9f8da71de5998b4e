-- The statements of attribution/path_store.py, over the view `events` of attribution/paths.py.

-- name: hashed
-- Users by two hashes, as the statement `sorted` has them; conversions without a user are nobody's: 0.
CREATE TEMP TABLE hashed AS
SELECT
    CASE WHEN nobody THEN 0::UBIGINT ELSE greatest(hash(user_id), 1) END AS user,
    CASE WHEN nobody THEN 0::UINTEGER ELSE (hash(reverse(user_id)) >> 32)::UINTEGER END AS twin,
    moment, CASE WHEN event = 'conversion' THEN '' ELSE channel END AS channel, event, value
FROM (SELECT *, user_id IS NULL OR trim(user_id) = '' AS nobody FROM events)
WHERE NOT nobody OR event = 'conversion';

-- name: seen_all
CREATE TEMP VIEW judged AS SELECT * FROM hashed WHERE user <> 0;

-- name: seen_once
CREATE TEMP VIEW judged AS SELECT DISTINCT * FROM hashed WHERE user <> 0;

-- name: users
SELECT
    user, twin, sum(touches)::BIGINT AS touches, sum(sales)::BIGINT AS sales, min(since) AS since,
    arg_min(entered, since)::BIGINT AS entered
FROM (
    SELECT user, twin, count(*) FILTER (WHERE event <> 'conversion') AS touches,
        count(*) FILTER (WHERE event = 'conversion') AS sales, min(moment) AS since,
        CASE WHEN count(*) FILTER (WHERE moment = opened AND event <> 'conversion') = 0
        THEN count(*) FILTER (WHERE moment = opened) ELSE 0 END AS entered
    FROM (SELECT *, min(moment) OVER (PARTITION BY user, twin) AS opened FROM judged) GROUP BY user, twin
    UNION ALL SELECT user, twin, touches, sales, since, entered FROM users_before
) GROUP BY user, twin ORDER BY user, twin;

-- name: parted
-- A user's events fall into chains, parted by silences after which nothing of before matters. The last chain is open
-- while an event may still come in time.
CREATE TEMP TABLE parted AS
WITH cut AS (
    SELECT *, moment - lag(moment) OVER (PARTITION BY user, twin ORDER BY moment) AS gap
    FROM (SELECT * FROM hashed UNION ALL SELECT * FROM tails_before)
),
last_chain AS (
    SELECT user, twin, max(moment) AS newest,
        max(moment) FILTER (WHERE gap IS NULL OR gap > getvariable('silence')) AS opened
    FROM cut WHERE user <> 0 GROUP BY ALL
)
SELECT
    user, twin, moment, channel, event, value,
    coalesce(newest >= getvariable('newest') - getvariable('silence') AND moment >= opened, false) AS is_open
FROM cut LEFT JOIN last_chain USING (user, twin);

-- name: tails
SELECT user, twin, moment, channel, event, value FROM parted WHERE is_open ORDER BY ALL;

-- name: sorted
SELECT
    user,
    ((twin >> (32 - getvariable('spare')))::BIGINT << getvariable('room'))
    | ((moment - getvariable('origin')) << getvariable('bits')) | code AS key,
    coalesce(value, 'NaN'::DOUBLE) AS value
FROM chosen JOIN codes USING (channel, event) ORDER BY user, key;
