//! The databases that keep the log. Only here is there SQL.

pub mod sqlite;
mod sqlite_open;
mod sqlite_sql;
