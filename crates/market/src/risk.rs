use crate::time::Time;

/// A rule of the risk ladder: what stopped opening, or had a position closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Rule {
    /// A holding lost more than the stop-loss allows.
    StopLoss,
    /// A profit fell back from its peak by more than the trailing distance.
    TakeProfit,
    /// The mark price came near the price of liquidation.
    Liquidation,
    /// Funding that is due soon would cost too much.
    Funding,
    /// The exchange refused orders for want of margin.
    Margin,
    /// The exchange refused the same again and again.
    Rejections,
    /// Orders were replaced faster than they earn.
    Churn,
    /// Somebody else trades with the mark of this account.
    OtherWriter,
    /// Books and exchange could not be brought to agree.
    Divergence,
    /// Several stop-losses within a time.
    StoplossGuard,
    /// The round trips of a time lost too much together.
    LossGuard,
    /// The round trips of a time earned too little.
    LowProfit,
    /// A pause after a closing.
    Cooldown,
    /// The market as a whole falls with unusual volume, or cannot be seen.
    RiskMonitor,
    /// The account's equity fell too far from its peak.
    Drawdown,
    /// The account lost too much since midnight, UTC.
    DailyLoss,
    /// The exchange warned that margin runs short.
    MarginCall,
    /// The account holds a position of which the books know nothing.
    ForeignPosition,
}

impl Rule {
    /// All rules, in the order of their discriminants.
    pub const ALL: [Self; Self::ForeignPosition as usize + 1] = [
        Self::StopLoss,
        Self::TakeProfit,
        Self::Liquidation,
        Self::Funding,
        Self::Margin,
        Self::Rejections,
        Self::Churn,
        Self::OtherWriter,
        Self::Divergence,
        Self::StoplossGuard,
        Self::LossGuard,
        Self::LowProfit,
        Self::Cooldown,
        Self::RiskMonitor,
        Self::Drawdown,
        Self::DailyLoss,
        Self::MarginCall,
        Self::ForeignPosition,
    ];

    /// Snake-case word for display and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::Liquidation => "liquidation_near",
            Self::Funding => "funding_cost",
            Self::Margin => "margin_short",
            Self::Rejections => "rejections",
            Self::Churn => "order_churn",
            Self::OtherWriter => "other_writer",
            Self::Divergence => "divergence",
            Self::StoplossGuard => "stoploss_guard",
            Self::LossGuard => "loss_guard",
            Self::LowProfit => "low_profit",
            Self::Cooldown => "cooldown",
            Self::RiskMonitor => "risk_monitor",
            Self::Drawdown => "drawdown",
            Self::DailyLoss => "daily_loss",
            Self::MarginCall => "margin_call",
            Self::ForeignPosition => "foreign_position",
        }
    }

    /// Reads the word that [`Rule::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}

/// A symbol is closed to opening by a rule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lock {
    /// The rule.
    pub rule: Rule,
    /// When it ends by itself; `None`: an operator must re-arm the symbol.
    pub until: Option<Time>,
}

impl Lock {
    /// Whether it holds at a time.
    pub fn holds(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The one of two that holds longer; the first when they are equal.
    #[must_use]
    pub fn longer(self, other: Self) -> Self {
        match (self.until, other.until) {
            (None, _) => self,
            (Some(_), None) => other,
            (Some(a), Some(b)) => {
                if b > a {
                    other
                } else {
                    self
                }
            }
        }
    }
}

/// What the account's rules demand of its symbols.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Demand {
    /// The rule.
    pub rule: Rule,
    /// Whether positions are to be closed, too; else only nothing more is opened.
    pub close: bool,
}

/// What an account must remember over a restart; committed when a rule latches or lets go, and now and then for its figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountRecord {
    /// Highest worth since the last re-arming, units of 1e-8 of the quote asset.
    pub peak: i128,
    /// The rule that an operator must lift; `None` when there is none.
    pub latched: Option<Rule>,
    /// The day, counted from 1970-01-01 UTC, whose loss is watched.
    pub day: u32,
    /// Worth when that day began, units of 1e-8 of the quote asset.
    pub day_start: i128,
    /// Whether that day's loss has passed its limit.
    pub day_lost: bool,
    /// What the wallet was beyond what our books say, units of 1e-8 of the quote asset: money that came or went unseen shows in it.
    pub basis: Option<i128>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_back_from_their_words() {
        for (place, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!((rule as usize, Rule::parse(rule.as_str())), (place, Some(rule)));
        }
        assert_eq!(Rule::parse("StopLoss"), None);
    }

    #[test]
    fn the_longer_of_two_locks_is_the_one_that_an_operator_must_lift() {
        let lock = |rule, until: Option<u64>| Lock { rule, until: until.map(Time::from_millis) };
        let (short, long, latched) = (lock(Rule::Margin, Some(1)), lock(Rule::Churn, Some(2)), lock(Rule::StopLoss, None));
        assert_eq!([short.longer(long), long.longer(short)], [long, long]);
        assert_eq!([latched.longer(long), long.longer(latched)], [latched, latched]);
        assert!(latched.holds(Time::from_nanos(u64::MAX)) && !short.holds(Time::from_millis(1)) && short.holds(Time::ZERO));
    }
}
