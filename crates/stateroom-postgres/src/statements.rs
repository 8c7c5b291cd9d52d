//! The statements. Each parameter has a type, since PostgreSQL guesses too small ones.

/// How many rows a trim removes at most, so that it holds up nothing.
pub(crate) const TRIMMED_AT_ONCE: i64 = 1_000;

/// All statements, for the tables of one schema.
///
/// What appends and claims locks the row that it follows: a trim waits for that. Otherwise a statement that has seen that row
/// long ago could write to a place that was taken since and trimmed.
#[derive(Debug)]
pub struct Statements {
    /// Parts, positions, epochs, bodies: inserts each row that follows one of its own epoch.
    pub append: String,
    /// Parts, random bits, owner: inserts a claim after the last row of each part.
    pub claim: String,
    /// Parts, own name: ends the connections of their owners.
    pub end_owners: String,
    /// Part, after, up to, how many: the rows between, in order.
    pub read: String,
    /// Part, epoch, below: removes the oldest rows, never the last one.
    pub trim: String,
    /// Part, epoch, rooms, positions, modules, bodies: keeps states, unless newer ones are there.
    pub put_states: String,
    /// Part, epoch, rooms: removes states.
    pub delete_states: String,
    /// Part, room.
    pub state: String,
    /// Part, after which room, how many.
    pub rooms: String,
    /// Hash, body.
    pub put_module: String,
    /// Hash.
    pub module: String,
}

/// What a statement about a part's states begins with: a lock on the part, if it still has this epoch. Whoever claims it waits
/// for the lock, and whoever waits for a claim sees the epoch that it has left.
const FENCE: &str = "with fence as materialized (
    select part from {schema}.part where part = $1::int2 and epoch = $2::int8 for share
)";

impl Statements {
    /// Those for the tables in this schema.
    #[must_use]
    pub fn new(schema: &str) -> Self {
        let of = |text: &str| text.replace("{fence}", FENCE).replace("{schema}", schema);
        Statements {
            append: of("insert into {schema}.log (part, seq, epoch, body)
                select u.p, u.s, u.e, u.b
                from unnest($1::int2[], $2::int8[], $3::int8[], $4::bytea[]) u(p, s, e, b)
                cross join lateral (
                    select l.epoch from {schema}.log l
                    where l.part = u.p and l.seq = u.s - 1 for key share
                ) before
                where before.epoch = u.e
                order by u.p
                on conflict do nothing
                returning part"),
            claim: of("with claimed as (
                    insert into {schema}.log (part, seq, epoch, body)
                    select t.part, t.seq + 1, (((t.epoch >> 32) + 1) << 32) | $2::int8, null
                    from unnest($1::int2[]) u(p) cross join lateral (
                        select l.part, l.seq, l.epoch from {schema}.log l
                        where l.part = u.p order by l.seq desc limit 1 for key share
                    ) t
                    order by t.part
                    on conflict do nothing
                    returning part, seq, epoch
                ), owned as (
                    insert into {schema}.part (part, epoch, owner)
                    select c.part, c.epoch, $3::text from claimed c order by c.part
                    on conflict (part) do update set epoch = excluded.epoch, owner = excluded.owner
                )
                select part, seq, epoch from claimed"),
            end_owners: of("select count(pg_terminate_backend(b.pid)) from (
                    select distinct a.pid from {schema}.part p
                    join pg_stat_activity a on a.application_name = p.owner
                    where p.part = any($1::int2[]) and p.owner not in ('', $2::text)
                    and a.datname = current_database() and a.usename = current_user
                ) b"),
            read: of("select seq, epoch, body from {schema}.log
                where part = $1::int2 and seq > $2::int8 and seq <= $3::int8
                order by seq limit $4::int8"),
            trim: of("{fence}, removed as (
                    delete from {schema}.log l using fence
                    where l.part = fence.part
                    and l.seq < least(
                        $3::int8,
                        (select max(m.seq) from {schema}.log m where m.part = $1::int2),
                        (select min(m.seq) from {schema}.log m where m.part = $1::int2) + $4::int8
                    )
                    returning 1
                )
                select (select count(*) from fence), (select count(*) from removed)"),
            put_states: of("{fence}, put as (
                    insert into {schema}.state as s (part, room, seq, module, body)
                    select fence.part, u.room, u.seq, u.module, u.body
                    from fence, unnest($3::bytea[], $4::int8[], $5::bytea[], $6::bytea[])
                        u(room, seq, module, body)
                    order by sha256(u.room)
                    on conflict (part, sha256(room)) do update
                    set seq = excluded.seq, module = excluded.module, body = excluded.body
                    where s.seq <= excluded.seq
                    returning 1
                )
                select (select count(*) from fence), (select count(*) from put)"),
            delete_states: of("{fence}, removed as (
                    delete from {schema}.state s using fence
                    where s.part = fence.part
                    and sha256(s.room) in (select sha256(u.room) from unnest($3::bytea[]) u(room))
                    returning 1
                )
                select (select count(*) from fence), (select count(*) from removed)"),
            state: of("select seq, module, body from {schema}.state
                where part = $1::int2 and sha256(room) = sha256($2::bytea)"),
            rooms: of("select room from {schema}.state
                where part = $1::int2 and ($2::bytea is null or sha256(room) > sha256($2::bytea))
                order by sha256(room) limit $3::int8"),
            put_module: of("insert into {schema}.module (hash, body) values ($1::bytea, $2::bytea)
                on conflict (hash) do update set kept_at = now()"),
            module: of("select body from {schema}.module where hash = $1::bytea"),
        }
    }
}
