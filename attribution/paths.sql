-- The statements of attribution/paths.py. Names of users, channels and files are only ever values here.

-- name: events_with_value
CREATE TEMP VIEW events AS
SELECT user_id, epoch_us(timestamp) AS moment, channel, event, value, source_row FROM touchpoints;

-- name: events_without_value
CREATE TEMP VIEW events AS
SELECT user_id, epoch_us(timestamp) AS moment, channel, event, NULL::DOUBLE AS value, source_row FROM touchpoints;

-- name: profile
-- Per channel and event: rows, values, values other than 0, rows at midnight.
SELECT channel, event, count(*), count(value), count(*) FILTER (WHERE value <> 0), count(*) FILTER (WHERE moment % 86400000000 = 0)
FROM events GROUP BY channel, event ORDER BY channel, event;

-- name: without_user
-- A blank is below '!'; comparing first spares the trimming of every id.
SELECT event = 'conversion', count(*) FROM events
WHERE user_id IS NULL OR CASE WHEN user_id < '!' THEN trim(user_id) = '' ELSE false END
GROUP BY 1;

-- name: days
SELECT moment // 86400000000, count(*), min(moment), max(moment) FROM events GROUP BY 1 ORDER BY 1;

-- name: blank_channel
SELECT source_row FROM events WHERE event <> 'conversion' AND (channel IS NULL OR trim(channel) = '') ORDER BY 1 LIMIT 1000;

-- name: value_without_conversion
SELECT source_row FROM events WHERE event <> 'conversion' AND value <> 0 ORDER BY 1 LIMIT 1000;

-- name: conversion_without_value
SELECT source_row FROM events WHERE event = 'conversion' AND value IS NULL ORDER BY 1 LIMIT 1000;

-- name: channel_rows
-- `names` holds channel names to be found.
SELECT min(source_row) FROM events SEMI JOIN names USING (channel) WHERE event <> 'conversion' GROUP BY channel ORDER BY 1;

-- name: sorted
-- Whole users in order of time; in a tie the code puts touches before conversions, then goes by channel. Sorting on a
-- hash is several times quicker than on the id; `twin`, a second hash, tells two users apart who share the first.
-- Conversions without a user are nobody's: 0. `codes` holds one row per channel and event.
SELECT
    CASE WHEN nobody THEN 0::UBIGINT ELSE greatest(hash(user_id), 1::UBIGINT) END AS user,
    (((moment - getvariable('origin')) // getvariable('tick')) << getvariable('bits')) | code AS key,
    CASE WHEN nobody THEN 0::UBIGINT ELSE hash(reverse(user_id)) END AS twin,
    value
FROM (
    SELECT *, user_id IS NULL OR CASE WHEN user_id < '!' THEN trim(user_id) = '' ELSE false END AS nobody FROM events
) AS seen
JOIN codes ON seen.event = codes.event AND CASE WHEN seen.event = 'conversion' THEN '' ELSE seen.channel END = codes.channel
WHERE NOT nobody OR seen.event = 'conversion'
ORDER BY user, key;
