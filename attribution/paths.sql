-- The statements of attribution/paths.py. Names of users, channels and files are only ever values here.

-- name: events
-- The pieces in braces are those of attribution/paths.py: which optional columns there are and are asked for.
CREATE OR REPLACE TEMP VIEW events AS
SELECT {user} AS user_id, epoch_us(timestamp) AS moment, {channel} AS channel, event, {value} AS value, source_row
FROM touchpoints {rows};

-- name: channel_and_campaign
CASE
    WHEN event <> 'conversion' AND trim(coalesce(channel, '')) <> '' AND trim(coalesce(campaign, '')) <> ''
    THEN channel || chr(31) || trim(campaign) ELSE channel
END

-- name: other_geos
SELECT count(*) FROM touchpoints WHERE geo IS NULL OR geo NOT IN (SELECT geo FROM markets);

-- name: geos
SELECT DISTINCT geo FROM touchpoints WHERE geo IS NOT NULL ORDER BY 1 LIMIT 10000;

-- name: profile
-- Per channel and event: rows, rows with a value, with one other than 0.
SELECT channel, event, count(*), count(value), count(*) FILTER (WHERE value <> 0)
FROM events GROUP BY channel, event ORDER BY channel, event;

-- name: without_user
-- Per channel and event: rows without a user. A blank is below '!'; only texts that begin so are trimmed, which is slow.
SELECT channel, event, count(*) FROM events
WHERE (user_id IS NULL OR user_id < '!') AND (user_id IS NULL OR trim(user_id) = '')
GROUP BY channel, event;

-- name: days
SELECT moment // 86400000000, count(*), min(moment), max(moment), bool_and(moment % 1000000 = 0)
FROM events GROUP BY 1 ORDER BY 1;

-- name: blank_channel
SELECT source_row FROM events WHERE event <> 'conversion' AND (channel IS NULL OR trim(channel) = '') ORDER BY 1 LIMIT 1000;

-- name: value_without_conversion
SELECT source_row FROM events WHERE event <> 'conversion' AND value <> 0 ORDER BY 1 LIMIT 1000;

-- name: conversion_without_value
SELECT source_row FROM events WHERE event = 'conversion' AND value IS NULL ORDER BY 1 LIMIT 1000;

-- name: coded
-- Conversions without a user are nobody's: 0. Where all users are known their conditions fold away.
-- `codes` holds one row per channel and event; the names are compared as they are, so each page's dictionary once.
SELECT
    user_id, nobody, since, code, coalesce(value, 'NaN'::DOUBLE) AS value,
    CASE WHEN nobody THEN 0::UBIGINT WHEN getvariable('all_known') THEN hash(user_id) ELSE greatest(hash(user_id), 1) END AS user
FROM (
    SELECT
        user_id, moment - getvariable('origin') AS since, value, event, channel,
        NOT getvariable('all_known')
        AND (user_id IS NULL OR CASE WHEN user_id < '!' THEN trim(user_id) = '' ELSE false END) AS nobody
    FROM events
) AS seen
JOIN codes ON seen.channel IS NOT DISTINCT FROM codes.channel AND seen.event = codes.event
WHERE NOT nobody OR seen.event = 'conversion'

-- name: sorted
-- Whole users in order of time; in a tie the code puts touches before conversions, then goes by channel. Sorting on a
-- hash is several times quicker than on the id. A key holds, from its highest bit, bits of a second hash (they tell two
-- users apart who share the first), the time, and the code; few columns and no NULL make the sort light.
SELECT
    user,
    CASE WHEN nobody THEN 0 ELSE ((hash('x' || user_id) >> (64 - getvariable('spare'))) << getvariable('room'))::BIGINT END
    | (CASE WHEN getvariable('tick') = 1 THEN since ELSE since // getvariable('tick') END << getvariable('bits')) | code AS key,
    value
FROM coded ORDER BY user, key;

-- name: sorted_by_second
-- The same in fewer bytes, which DuckDB sorts a quarter quicker: where time and code take at most 32 bits the key begins
-- with the lower half of the hash. Nothing else tells users apart: any two of ten million share it once in 400,000 logs.
SELECT
    (user >> 32)::UINTEGER AS user,
    ((user & 4294967295::UBIGINT) << getvariable('room')) | ((since // getvariable('tick')) << getvariable('bits') | code)::UBIGINT AS key,
    value
FROM coded ORDER BY user, key;
