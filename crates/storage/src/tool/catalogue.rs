//! Which tables and columns a database has, by its own account: what is copied is what is there, so that none can be forgotten.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement, Value};

use crate::db::{Db, number};
use crate::limits::{COPY_COLUMNS_MAX, TABLES_MAX};

use super::ToolError;

/// The table in which the migrations that were done are written down: it belongs to the schema, not to the data.
const STEPS: &str = "seaql_migrations";

/// A table, its columns in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>, // tidy: bounded by COPY_COLUMNS_MAX
    /// Places of the primary key's columns, in the key's order.
    pub(crate) key: Vec<usize>, // tidy: bounded by COPY_COLUMNS_MAX
    /// The place of the column whose numbers the database gives out.
    pub(crate) counter: Option<usize>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// What a column holds. There are no floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 64 bits; of SQLite every integer.
    Big,
    /// 32 bits, on a server only.
    Int,
    /// Text.
    Text,
    /// True or false.
    Flag,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        // SQLite keeps the words of the statement that made the table, lengths in brackets included.
        let word = word.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
        match word.as_str() {
            "bigint" => Some(Self::Big),
            "integer" | "int" | "int4" => Some(Self::Int),
            "text" | "varchar" | "character varying" => Some(Self::Text),
            "boolean" | "bool" => Some(Self::Flag),
            _ => None,
        }
    }

    /// Whether a value of one column fits the other.
    fn alike(self, other: Self) -> bool {
        let class = |kind| match kind {
            Self::Big | Self::Int => 0,
            Self::Text => 1,
            Self::Flag => 2,
        };
        class(self) == class(other)
    }
}

/// A value, the same for every database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Flag(bool),
}

impl Cell {
    pub(crate) fn read(row: &QueryResult, at: usize, kind: Kind) -> Result<Self, sea_orm::DbErr> {
        Ok(match kind {
            Kind::Big => row.try_get_by_index::<Option<i64>>(at)?.map_or(Self::Null, Self::Number),
            Kind::Int => row.try_get_by_index::<Option<i32>>(at)?.map_or(Self::Null, |number| Self::Number(number.into())),
            Kind::Text => row.try_get_by_index::<Option<String>>(at)?.map_or(Self::Null, Self::Text),
            Kind::Flag => row.try_get_by_index::<Option<bool>>(at)?.map_or(Self::Null, Self::Flag),
        })
    }

    /// Makes a parameter of a statement; `None` when the number is too large for the column.
    pub(crate) fn value(self, kind: Kind) -> Option<Value> {
        Some(match (kind, self) {
            (Kind::Big, Self::Number(number)) => Value::BigInt(Some(number)),
            (Kind::Int, Self::Number(number)) => Value::Int(Some(i32::try_from(number).ok()?)),
            (Kind::Text, Self::Text(text)) => Value::String(Some(text)),
            (Kind::Flag, Self::Flag(flag)) => Value::Bool(Some(flag)),
            (Kind::Big, Self::Null) => Value::BigInt(None),
            (Kind::Int, Self::Null) => Value::Int(None),
            (Kind::Text, Self::Null) => Value::String(None),
            (Kind::Flag, Self::Null) => Value::Bool(None),
            (_, Self::Number(_) | Self::Text(_) | Self::Flag(_)) => return None,
        })
    }
}

/// Reads which tables there are, in the order of their names.
pub(crate) async fn tables(from: &DatabaseTransaction, db: &Db) -> Result<Vec<Table>, ToolError> {
    let sql = if db.is_sqlite() {
        "SELECT m.name, i.name, i.type, i.\"notnull\" <> 0 OR i.pk <> 0, i.pk, \
         CASE WHEN i.pk = 1 AND m.sql LIKE '%AUTOINCREMENT%' THEN 1 ELSE 0 END \
         FROM sqlite_master m JOIN pragma_table_info(m.name) i \
         WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_' ORDER BY m.name, i.name"
    } else {
        // A partition belongs to its table. The catalogue's own order of texts is that of their bytes.
        "SELECT c.relname::text COLLATE \"C\", a.attname::text COLLATE \"C\", format_type(a.atttypid, NULL), a.attnotnull, \
         coalesce(array_position(i.indkey::int2[], a.attnum), -1)::bigint + 1, \
         CASE WHEN pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) IS NULL \
         THEN 0 ELSE 1 END::bigint \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 \
         AND NOT a.attisdropped ORDER BY 1, 2"
    };
    let lift = |error| ToolError::from(db.error(error));
    let rows = from.query_all_raw(Statement::from_string(from.get_database_backend(), sql)).await.map_err(lift)?;
    let mut tables: Vec<Table> = Vec::new();
    // Place in the key and place in the table, of the last table.
    let mut keys: Vec<(i64, usize)> = Vec::new();
    for row in &rows {
        let name: String = row.try_get_by_index(0).map_err(lift)?;
        if name == STEPS {
            continue;
        }
        let refused = |why: String| ToolError::Uncopyable { database: db.name.clone(), table: name.clone(), why };
        let column: String = row.try_get_by_index(1).map_err(lift)?;
        let word: String = row.try_get_by_index(2).map_err(lift)?;
        let mut kind = Kind::of(&word).ok_or_else(|| refused(format!("its column {column} is of type {word:?}")))?;
        if db.is_sqlite() && kind == Kind::Int {
            kind = Kind::Big;
        }
        let not_null: bool = row.try_get_by_index(3).map_err(lift)?;
        let (place, counts): (i64, i64) = (row.try_get_by_index(4).map_err(lift)?, row.try_get_by_index(5).map_err(lift)?);
        if tables.last().is_none_or(|last| last.name != name) {
            keys.clear();
            if tables.len() == TABLES_MAX {
                return Err(refused(format!("there are more than {TABLES_MAX} tables")));
            }
            tables.push(Table { name: name.clone(), columns: Vec::new(), key: Vec::new(), counter: None });
        }
        let Some(table) = tables.last_mut() else { continue };
        let at = table.columns.len();
        if at == COPY_COLUMNS_MAX {
            return Err(refused(format!("it has more than {COPY_COLUMNS_MAX} columns")));
        }
        if place > 0 {
            keys.push((place, at));
            keys.sort_unstable();
            table.key = keys.iter().map(|(_, at)| *at).collect();
        }
        if counts > 0 {
            table.counter = Some(at);
        }
        table.columns.push(Column { name: column, kind, nullable: !not_null });
    }
    if let Some(table) = tables.iter().find(|table| table.key.is_empty()) {
        let why = "it has no primary key, by which it could be read in parts".to_owned();
        return Err(ToolError::Uncopyable { database: db.name.clone(), table: table.name.clone(), why });
    }
    Ok(tables)
}

/// Tells the first difference of two catalogues.
pub(crate) fn difference(from: &[Table], to: &[Table]) -> Option<String> {
    let missing = |some: &[Table], others: &[Table]| {
        let lost = some.iter().find(|table| others.iter().all(|other| other.name != table.name));
        lost.map(|table| table.name.clone())
    };
    if let Some(name) = missing(from, to) {
        return Some(format!("table {name} is in the first only"));
    }
    if let Some(name) = missing(to, from) {
        return Some(format!("table {name} is in the second only"));
    }
    for (one, other) in from.iter().zip(to) {
        let names = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let key = |table: &Table| table.key.iter().filter_map(|at| table.columns.get(*at)).map(|c| c.name.clone()).collect::<Vec<_>>();
        if names(one) != names(other) || key(one) != key(other) || one.counter != other.counter {
            return Some(format!("table {} has other columns or another key", one.name));
        }
        let unlike = one.columns.iter().zip(&other.columns).find(|(a, b)| !a.kind.alike(b.kind) || a.nullable && !b.nullable);
        if let Some((column, _)) = unlike {
            return Some(format!("column {} of table {} is of another type", column.name, one.name));
        }
    }
    None
}

/// Counts the rows of a table.
pub(crate) async fn count(from: &DatabaseTransaction, db: &Db, table: &Table) -> Result<u64, ToolError> {
    let rows = number(from, &format!("SELECT COUNT(*) FROM {}", quoted(&table.name))).await;
    Ok(rows.map_err(|error| db.error(error))?.unsigned_abs())
}

/// Writes a name so that both databases take it for one.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes a parameter's place.
pub(crate) fn place(backend: DbBackend, at: usize) -> String {
    match backend {
        DbBackend::Postgres => format!("${at}"),
        _ => "?".to_owned(),
    }
}
