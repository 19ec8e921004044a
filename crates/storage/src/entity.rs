//! The tables. Numbers are integers (`i64` where they fit, canonical text where they do not), times are nanoseconds since
//! the epoch, ids of exchanges that may be wider than 63 bits are text. No column is ever a float.

/// What a symbol relies on: committed before the action that does.
pub(crate) mod state {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "state")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        pub version: i64,
        pub anchor: Option<i64>,
        pub grid_interval: i64,
        pub paused: bool,
        pub halted: bool,
        pub baseline: Option<i64>,
        pub lock_rule: Option<String>,
        pub lock_until_ns: Option<i64>,
        pub closing: bool,
        pub idle: bool,
        pub memo: Option<String>,
        pub grid_ratio: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Funding paid and received.
pub(crate) mod funding {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "funding")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub time_ns: i64,
        pub amount: String,
        pub asset: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the whole numbers of a symbol's prices and quantities mean.
pub(crate) mod instruments {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "instruments")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        pub base: String,
        pub quote: String,
        pub price_scale: i32,
        pub qty_scale: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the rules of an account must remember.
pub(crate) mod account_state {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_state")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        pub peak: String,
        pub latched: Option<String>,
        pub day: i64,
        pub day_start: String,
        pub day_lost: bool,
        pub basis: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Each start of the bot.
pub(crate) mod runs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "runs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run: i64,
        pub started_ns: i64,
        pub version: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Orders, one row each, in their last known state.
pub(crate) mod orders {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub account: String,
        pub symbol: String,
        pub client_id: String,
        pub order_id: Option<String>,
        pub side: String,
        pub price: i64,
        pub qty: i64,
        pub filled: i64,
        pub status: String,
        pub reduce_only: bool,
        pub time_ns: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Executions, each exactly once.
pub(crate) mod fills {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "fills")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub account: String,
        pub symbol: String,
        pub trade_id: i64,
        pub order_id: String,
        pub client_id: Option<String>,
        pub side: String,
        pub price: i64,
        pub qty: i64,
        pub fee: String,
        pub fee_asset: String,
        pub reported: String,
        pub reported_asset: String,
        pub strategy: Option<i32>,
        pub level: Option<i32>,
        pub realized: String,
        pub slot_realized: String,
        pub maker: bool,
        pub time_ns: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Slots that hold something.
pub(crate) mod slots {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "slots")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub strategy: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub level: i32,
        pub held: i64,
        pub cost: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Running totals of each symbol, and how far its fills are booked.
pub(crate) mod totals {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "totals")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        pub watermark: Option<i64>,
        pub holding: i64,
        pub cost: String,
        pub realized: String,
        pub fees: String,
        pub funding: String,
        pub fills: i64,
        pub bought: i64,
        pub sold: i64,
        pub foreign_fees: i64,
        pub funded_ns: i64,
        pub other_fees: String,
        pub waiting_fees: Option<String>,
        pub waiting_asset: Option<String>,
        pub waiting_fills: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What each symbol did on each day, and whether that has been counted since something touched it.
pub(crate) mod trading_days {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "trading_days")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub symbol: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day_ns: i64,
        pub touched: i64,
        pub counted: i64,
        pub asset: String,
        pub fills: i64,
        pub wins: i64,
        pub losses: i64,
        pub other_fees: i64,
        pub turnover: String,
        pub realized: String,
        pub slot_realized: String,
        pub fees: String,
        pub funding: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What an account was worth.
pub(crate) mod equity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "equity")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub time_ns: i64,
        pub account: String,
        pub wallet: String,
        pub unrealized: String,
        pub equity: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a person was told.
pub(crate) mod events {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub time_ns: i64,
        pub severity: String,
        pub code: String,
        pub account: Option<String>,
        pub symbol: Option<String>,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Lines of the log.
pub(crate) mod logs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "logs")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub time_ns: i64,
        /// 1 for error to 5 for trace.
        pub level: i32,
        pub target: String,
        pub message: String,
        pub account: Option<String>,
        pub symbol: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Samples of the process.
pub(crate) mod system_metrics {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "system_metrics")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub time_ns: i64,
        pub cpu_milli: Option<i64>,
        pub rss: Option<i64>,
        pub anonymous: Option<i64>,
        pub allocated: Option<i64>,
        pub active: Option<i64>,
        pub resident: Option<i64>,
        pub mapped: Option<i64>,
        pub retained: Option<i64>,
        pub cgroup_used: Option<i64>,
        pub cgroup_limit: Option<i64>,
        pub ledger_used: Option<i64>,
        pub tasks: Option<i64>,
        pub threads: Option<i64>,
        pub open_files: Option<i64>,
        pub purges: Option<i64>,
        pub rung: Option<i64>,
        /// Whether it was added to its day.
        pub rolled: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the samples of a day add up to.
pub(crate) mod system_metrics_daily {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "system_metrics_daily")]
    pub struct Model {
        /// When the day began.
        #[sea_orm(primary_key, auto_increment = false)]
        pub day_ns: i64,
        pub samples: i64,
        pub rss_count: i64,
        pub rss_sum: String,
        pub rss_min: i64,
        pub rss_max: i64,
        pub cpu_count: i64,
        pub cpu_sum: String,
        pub cpu_min: i64,
        pub cpu_max: i64,
        pub tasks_count: i64,
        pub tasks_sum: String,
        pub tasks_min: i64,
        pub tasks_max: i64,
        pub allocated_count: i64,
        pub allocated_sum: String,
        pub allocated_min: i64,
        pub allocated_max: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who may log in.
pub(crate) mod web_users {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "web_users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub password: String,
        pub totp: Option<String>,
        pub totp_step: i64,
        pub recovery: String,
        pub changed_ns: i64,
    }

    /// What is in such a row is not shown.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Model")
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who is logged in.
pub(crate) mod web_sessions {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "web_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub hash: String,
        pub created_ns: i64,
        pub seen_ns: i64,
        pub agent: String,
        pub address: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Tokens for programs.
pub(crate) mod web_tokens {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "web_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub hash: String,
        pub name: String,
        pub scope: String,
        pub created_ns: i64,
        pub used_ns: Option<i64>,
        pub expires_ns: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What was done through the API.
pub(crate) mod audit {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub time_ns: i64,
        pub actor: String,
        pub address: String,
        pub action: String,
        pub target: String,
        pub outcome: String,
        pub detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
