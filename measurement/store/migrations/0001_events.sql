-- Version 1: the chain of events, and the version of the tables themselves.
create table events (
    sequence bigint primary key,
    recorded_at varchar not null,
    actor varchar not null,
    kind varchar not null,
    subject varchar not null,
    payload varchar not null,
    previous varchar not null,
    hash varchar not null
);
create table schema_version (
    version integer primary key,
    applied_at varchar not null
);
