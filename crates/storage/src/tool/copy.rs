//! A whole database in another: from SQLite to PostgreSQL, back, or from file to file.
//!
//! What is copied is what the source's own catalogue lists, as it was at one instant. The target is read again and compared before
//! it counts: on a server everything is one transaction, and a file takes its place only when it is complete.

use std::path::Path;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::config::StoreConfig;
use crate::db::{Db, number};
use crate::limits::COPY_ROWS;
use crate::lock::InstanceLock;
use crate::pool::Pool;

use super::catalogue::{Cell, Table, count, difference, place, quoted, tables};
use super::{Source, ToolError, files, finish, steps, swap};

/// What is to become of rows that the target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// A target with rows is refused.
    No,
    /// They go. A file that is replaced stays beside the new one under a dated name.
    Yes,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The table.
    pub table: &'a str,
    /// Rows done.
    pub rows: u64,
    /// Rows in all.
    pub of: u64,
    /// Whether they are being read back to be compared, not copied.
    pub comparing: bool,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Each table, in the order of the names.
    pub tables: Vec<CopiedTable>, // tidy: bounded by TABLES_MAX
    /// Where the file is that was replaced; `None` when there was none.
    pub replaced: Option<std::path::PathBuf>,
}

/// A table that is the same in both databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// A checksum of its rows whatever their order: the sum of the first 128 bits of each row's SHA-256. It is the same for the same
    /// rows in either kind of database.
    pub checksum: u128,
}

/// Copies a database to another, and compares them.
///
/// A bot may run on the source: what is copied is how it was at one instant. The target is locked as by a bot.
///
/// # Errors
/// When the source is no database of ours or of a newer version, a bot has the target, it is not empty and not to be replaced, its
/// tables are others, or what was written is not what was read. The target is as it was then.
///
/// # Bounds
/// [`COPY_ROWS`] rows at a time.
///
/// # Cancel safety
/// Given up, or killed, the target is as it was.
pub async fn copy(
    from: &StoreConfig,
    to: &StoreConfig,
    replace: Replace,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Copied, ToolError> {
    let one = match (from.path(), to.path()) {
        (Some(one), Some(other)) => one == other || swap::is_same(one, other),
        (None, None) => from.is_same_server(to),
        _ => false,
    };
    if one {
        return Err(ToolError::Same { database: to.display() });
    }
    let source = Source::open(from).await?;
    let done = match to.path() {
        Some(path) => to_file(&source, to, path, replace, progress).await,
        None => to_server(&source, to, replace, progress).await,
    };
    source.close().await;
    done
}

/// Copies a database into a new file that is nothing yet.
pub(super) async fn into_file(from: &StoreConfig, part: &Path) -> Result<(), ToolError> {
    let source = Source::open(from).await?;
    let done = fill(&source, &from.with_file(part), &mut |_| {}).await;
    source.close().await;
    done.map(drop)
}

async fn to_file(
    source: &Source,
    to: &StoreConfig,
    path: &Path,
    replace: Replace,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Copied, ToolError> {
    let _lock = InstanceLock::take(path)?;
    finish(path)?;
    if path.exists() && replace == Replace::No {
        let old = Db::tool(to).await?;
        let at = old.snapshot("storage.tool").await?;
        let rows = refuse_rows(&at, &old).await;
        drop(at);
        if let Err(error) = old.connection.close().await {
            tracing::debug!(%error, "a connection was not closed");
        }
        rows?;
    }
    let part = swap::new_part(path)?;
    let done = fill(source, &to.with_file(&part), progress).await;
    let tables = match done {
        Ok(tables) => tables,
        Err(error) => {
            files::remove(&part)?;
            return Err(error);
        }
    };
    let replaced = swap::publish(&part, path)?;
    Ok(Copied { tables, replaced })
}

async fn fill(source: &Source, part: &StoreConfig, progress: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Vec<CopiedTable>, ToolError> {
    let db = Db::filler(part).await?;
    let done = async {
        let at = db.begin("storage.copy").await?;
        let steps = steps::read(&source.at, &source.db).await?.applied.len();
        steps::make(&at, steps, &db).await?;
        let done = all(source, &at, &db, progress).await?;
        db.commit(at).await?;
        Ok(done)
    }
    .await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    done
}

async fn to_server(
    source: &Source,
    to: &StoreConfig,
    replace: Replace,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Copied, ToolError> {
    let db = Db::writer(to, &Arc::new(Pool::default())).await?;
    let done = async {
        let at = db.begin("storage.copy").await?;
        at.execute_unprepared("SET LOCAL statement_timeout = 0").await.map_err(|error| db.error(error))?;
        let wanted = steps::read(&source.at, &source.db).await?;
        let found = steps::read(&at, &db).await?;
        if let Some(found) = found.newer {
            let known = crate::migration::Migrator::newest();
            return Err(crate::StoreError::SchemaNewer { database: db.name.clone(), found, known }.into());
        }
        if found.applied.is_empty() {
            steps::make(&at, wanted.applied.len(), &db).await?;
        } else if replace == Replace::No {
            refuse_rows(&at, &db).await?;
        } else {
            let names: Vec<String> = tables(&at, &db).await?.iter().map(|table| quoted(&table.name)).collect();
            let sql = format!("TRUNCATE {}", names.join(", "));
            at.execute_unprepared(&sql).await.map_err(|error| db.error(error))?;
        }
        let tables = all(source, &at, &db, progress).await?;
        db.commit(at).await?;
        Ok(Copied { tables, replaced: None })
    }
    .await;
    if let Err(error) = db.connection.close().await {
        tracing::debug!(%error, "a connection was not closed");
    }
    done
}

/// Refuses a database that has rows.
async fn refuse_rows(at: &DatabaseTransaction, db: &Db) -> Result<(), ToolError> {
    for table in tables(at, db).await? {
        let rows = count(at, db, &table).await?;
        if rows > 0 {
            return Err(ToolError::NotEmpty { database: db.name.clone(), table: table.name, rows });
        }
    }
    Ok(())
}

/// Copies every table, and compares what is there then with what was read.
async fn all(
    source: &Source,
    to: &DatabaseTransaction,
    db: &Db,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<CopiedTable>, ToolError> {
    let (ours, theirs) = (tables(&source.at, &source.db).await?, tables(to, db).await?);
    if let Some(what) = difference(&ours, &theirs) {
        return Err(ToolError::Schemas { from: source.db.name.clone(), to: db.name.clone(), what });
    }
    let mut done = Vec::with_capacity(ours.len());
    for (from_table, to_table) in ours.iter().zip(&theirs) {
        let of = count(&source.at, &source.db, from_table).await?;
        let mut tell = |rows, comparing| progress(Progress { table: &from_table.name, rows, of, comparing });
        let mut read = Sum::default();
        let mut rows = Rows::new(&source.at, &source.db, from_table);
        loop {
            let batch = rows.next().await?;
            batch.iter().for_each(|row| read.add(row));
            let last = (batch.len() as u64) < COPY_ROWS;
            if !batch.is_empty() {
                insert(to, db, to_table, batch).await?;
                tell(read.rows, false);
            }
            if last {
                break;
            }
        }
        if let Some(at) = from_table.counter {
            let counted = counter(&source.at, &source.db, from_table, at).await?;
            set_counter(to, db, to_table, at, counted).await?;
        }
        let mut written = Sum::default();
        let mut rows = Rows::new(to, db, to_table);
        loop {
            let batch = rows.next().await?;
            batch.iter().for_each(|row| written.add(row));
            if (batch.len() as u64) < COPY_ROWS {
                break;
            }
            tell(written.rows, true);
        }
        if read != written {
            return Err(ToolError::Differs { table: from_table.name.clone(), read: read.rows, written: written.rows });
        }
        done.push(CopiedTable { table: from_table.name.clone(), rows: read.rows, checksum: read.checksum });
    }
    Ok(done)
}

/// Rows and their checksum, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    checksum: u128,
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        let mut hash = Context::new(&SHA256);
        for cell in row {
            match cell {
                Cell::Null => hash.update(&[0]),
                Cell::Number(number) => {
                    hash.update(&[1]);
                    hash.update(&number.to_be_bytes());
                }
                Cell::Text(text) => {
                    hash.update(&[2]);
                    hash.update(&(text.len() as u64).to_be_bytes());
                    hash.update(text.as_bytes());
                }
                Cell::Flag(flag) => hash.update(&[3, u8::from(*flag)]),
            }
        }
        let mut first = [0; 16];
        for (to, from) in first.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(u128::from_be_bytes(first));
    }
}

/// Reads a table by its key, [`COPY_ROWS`] rows at a time.
pub(super) struct Rows<'a> {
    from: &'a DatabaseTransaction,
    db: &'a Db,
    table: &'a Table,
    /// The key of the last row read.
    after: Vec<Value>, // tidy: bounded by COPY_COLUMNS_MAX
}

impl<'a> Rows<'a> {
    pub(super) fn new(from: &'a DatabaseTransaction, db: &'a Db, table: &'a Table) -> Self {
        Self { from, db, table, after: Vec::new() }
    }

    /// Returns the next rows; fewer than [`COPY_ROWS`] are the last.
    pub(super) async fn next(&mut self) -> Result<Vec<Vec<Cell>>, ToolError> {
        let backend = self.from.get_database_backend();
        let table = self.table;
        let names = |at: &mut dyn Iterator<Item = usize>| {
            let names: Vec<String> = at.filter_map(|at| table.columns.get(at)).map(|column| quoted(&column.name)).collect();
            names.join(", ")
        };
        let (columns, key) = (names(&mut (0..table.columns.len())), names(&mut table.key.iter().copied()));
        let from = quoted(&table.name);
        let later = if self.after.is_empty() {
            String::new()
        } else {
            let places: Vec<String> = (1..=self.after.len()).map(|at| place(backend, at)).collect();
            format!(" WHERE ({key}) > ({})", places.join(", "))
        };
        let sql = format!("SELECT {columns} FROM {from}{later} ORDER BY {key} LIMIT {COPY_ROWS}");
        let statement = Statement::from_sql_and_values(backend, sql, std::mem::take(&mut self.after));
        let lift = |error| ToolError::from(self.db.error(error));
        let found = self.from.query_all_raw(statement).await.map_err(lift)?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            let cells = table.columns.iter().enumerate().map(|(at, column)| Cell::read(row, at, column.kind));
            rows.push(cells.collect::<Result<Vec<_>, _>>().map_err(lift)?);
        }
        if let Some(last) = rows.last() {
            let key = table.key.iter().filter_map(|at| last.get(*at)?.clone().value(table.columns.get(*at)?.kind));
            self.after = key.collect();
        }
        Ok(rows)
    }
}

async fn insert(to: &DatabaseTransaction, db: &Db, table: &Table, rows: Vec<Vec<Cell>>) -> Result<(), ToolError> {
    let backend = to.get_database_backend();
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name), names.join(", "));
    let mut values = Vec::with_capacity(rows.len() * names.len());
    for (n, row) in rows.into_iter().enumerate() {
        sql.push_str(if n == 0 { "(" } else { ", (" });
        for (at, (cell, column)) in row.into_iter().zip(&table.columns).enumerate() {
            let value = cell.value(column.kind).ok_or_else(|| ToolError::Uncopyable {
                database: db.name.clone(),
                table: table.name.clone(),
                why: format!("a value does not fit its column {}", column.name),
            })?;
            values.push(value);
            if at > 0 {
                sql.push_str(", ");
            }
            sql.push_str(&place(backend, values.len()));
        }
        sql.push(')');
    }
    let statement = Statement::from_sql_and_values(backend, sql, values);
    to.execute_raw(statement).await.map(drop).map_err(|error| db.error(error).into())
}

/// The last number that a database gave out for a column, or that is in it: rows may have gone since.
async fn counter(from: &DatabaseTransaction, db: &Db, table: &Table, at: usize) -> Result<i64, ToolError> {
    let lift = |error| ToolError::from(db.error(error));
    let Some(column) = table.columns.get(at) else { return Ok(0) };
    let (name, column) = (&table.name, quoted(&column.name));
    let most = number(from, &format!("SELECT CAST(COALESCE(MAX({column}), 0) AS BIGINT) FROM {}", quoted(name))).await.map_err(lift)?;
    let given = if db.is_sqlite() {
        // There is no row before the first number.
        let sql = format!("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = '{}'", name.replace('\'', "''"));
        number(from, &sql).await.map_err(lift)?
    } else {
        let sequence = sequence(from, db, table, at).await?;
        let sql = format!("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}");
        number(from, &sql).await.map_err(lift)?
    };
    Ok(most.max(given))
}

async fn set_counter(to: &DatabaseTransaction, db: &Db, table: &Table, at: usize, last: i64) -> Result<(), ToolError> {
    let lift = |error| ToolError::from(db.error(error));
    if db.is_sqlite() {
        let name = table.name.replace('\'', "''");
        let sql =
            format!("DELETE FROM sqlite_sequence WHERE name = '{name}'; INSERT INTO sqlite_sequence (name, seq) VALUES ('{name}', {last})");
        return to.execute_unprepared(&sql).await.map(drop).map_err(lift);
    }
    let sequence = sequence(to, db, table, at).await?.replace('\'', "''");
    let called = last > 0;
    number(to, &format!("SELECT setval('{sequence}', {}, {called})", last.max(1))).await.map(drop).map_err(lift)
}

/// Names a server's counter of a column.
async fn sequence(from: &DatabaseTransaction, db: &Db, table: &Table, at: usize) -> Result<String, ToolError> {
    let lift = |error| ToolError::from(db.error(error));
    let column = table.columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
    let backend = from.get_database_backend();
    let sql = "SELECT pg_get_serial_sequence(quote_ident(current_schema()) || '.' || quote_ident($1), $2)";
    let values = [Value::String(Some(table.name.clone())), Value::String(Some(column))];
    let row = from.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await.map_err(lift)?;
    let name: Option<Option<String>> = row.map(|row| row.try_get_by_index(0)).transpose().map_err(lift)?;
    name.flatten().ok_or_else(|| ToolError::Uncopyable {
        database: db.name.clone(),
        table: table.name.clone(),
        why: "its counter cannot be found".to_owned(),
    })
}
