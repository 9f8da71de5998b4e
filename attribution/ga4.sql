-- The statements of attribution/ga4.py, over the view `export`. The pieces in braces are its own.

-- name: rows
CREATE OR REPLACE TEMP VIEW ga4 AS
WITH raw AS (
    SELECT
        try_cast(event_timestamp AS BIGINT) AS moment, nullif(trim(user_pseudo_id::VARCHAR), '') AS device,
        {user_id} AS login, event_name::VARCHAR AS event_name, {session} AS session,
        coalesce({source}, CASE WHEN {gclid} IS NOT NULL THEN 'google' END) AS source,
        coalesce({medium}, CASE WHEN {gclid} IS NOT NULL THEN 'cpc' END) AS medium,
        {campaign} AS campaign, try_cast({revenue} AS DOUBLE) AS revenue, {transaction} AS transaction, {geo} AS geo
    FROM export
),
logins AS (
    SELECT device, max(login) AS owner FROM raw WHERE login IS NOT NULL AND device IS NOT NULL
    GROUP BY device HAVING count(DISTINCT login) = 1
)
SELECT raw.*, coalesce(login, owner, device) AS person FROM raw LEFT JOIN logins USING (device);

-- name: sessions
-- The least struct is the earliest event; ties go by name.
CREATE OR REPLACE TEMP TABLE sessions AS
SELECT
    person, moment, coalesce(first_source.source, '(direct)') AS source,
    CASE WHEN first_source IS NULL THEN '(none)' ELSE coalesce(first_source.medium, '(none)') END AS medium,
    first_source.campaign AS campaign, first_source IS NULL AS no_source, geo
FROM (
    SELECT
        any_value(person ORDER BY moment, person) AS person, min(moment) AS moment,
        min(geo) AS geo,
        min({'moment': moment, 'source': source, 'medium': medium, 'campaign': campaign})
            FILTER (WHERE source IS NOT NULL) AS first_source
    FROM ga4 WHERE session IS NOT NULL GROUP BY coalesce(device, person), session
);

-- name: sales
CREATE OR REPLACE TEMP TABLE sales AS
SELECT
    person, moment, coalesce(revenue, 0) AS value, geo,
    transaction IS NOT NULL AND row_number() OVER (PARTITION BY transaction ORDER BY moment, person) > 1 AS again
FROM ga4 WHERE event_name IN (SELECT event_name FROM wanted);

-- name: counts
SELECT
    (SELECT count(*) FROM export), (SELECT count(*) FROM sessions), (SELECT count(*) FROM sessions WHERE no_source),
    (SELECT count(*) FROM sales), (SELECT count(*) FROM sales WHERE again);

-- name: touchpoints
SELECT
    person AS user_id, make_timestamp(moment) AS timestamp, pairs.channel AS channel, 'click' AS event,
    NULL::DOUBLE AS value, campaign, geo
FROM sessions JOIN pairs USING (source, medium)
UNION ALL
SELECT person, make_timestamp(moment), NULL, 'conversion', value, NULL, geo FROM sales WHERE NOT again
