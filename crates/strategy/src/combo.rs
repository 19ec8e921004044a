mod child;
mod merge;

pub use child::{Child, ChildConfig};

use crate::limits::CHILDREN_MAX;
use crate::{
    AdjusterConfig, CapitalAllocator, CapitalConfig, DynamicAdjuster, Intent, ParameterError, Quotes, Regimes, Strategy, StrategyError,
    TrendConfig, TrendDetector,
};
use arrayvec::ArrayVec;
use child::ChildStrategy;
use core::time::Duration;
use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Event, Instrument, Leg, Memo, Price, Time, Top};
use plimsoll_position::{Changes, View};

/// Who of a combo's children may open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Choice {
    /// All of them.
    All,
    /// Those that are meant for what the market does.
    Trend(TrendConfig),
    /// The one of a grid's spacings that volatility and fees ask for. The only child is the grid with its narrowest spacing.
    Spacing(AdjusterConfig),
}

impl Choice {
    /// Length of the bars that it goes by.
    pub const fn bar(&self) -> Option<Duration> {
        match self {
            Self::All => None,
            Self::Trend(cfg) => Some(cfg.bar),
            Self::Spacing(cfg) => Some(cfg.bar),
        }
    }
}

/// The longest bar that whole ones of all these are made of.
pub fn common_bar(bars: impl Iterator<Item = Duration>) -> Option<Duration> {
    let divisor = |mut a: u64, mut b: u64| {
        // Ends: Euclid's remainders shrink.
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    bars.map(|bar| bar.as_secs()).reduce(divisor).map(Duration::from_secs)
}

/// Several strategies on one symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ComboConfig {
    /// The strategies, those that come first before the others; a child's place gives it its numbers.
    pub children: [Option<Child>; CHILDREN_MAX],
    /// Who may open.
    pub choice: Choice,
    /// What they may hold and open together, and each of them; `None` for no limit but the account's.
    pub capital: Option<CapitalConfig>,
}

impl ComboConfig {
    /// One strategy that opens in some regimes only.
    pub const fn filtered(strategy: ChildConfig, when: Regimes, trend: TrendConfig) -> Self {
        Self {
            children: [Some(Child { strategy, when, weight: 1_000_000 }), None, None, None],
            choice: Choice::Trend(trend),
            capital: None,
        }
    }

    /// A grid whose spacing is chosen.
    pub const fn adjusted(grid: ChildConfig, adjuster: AdjusterConfig) -> Self {
        Self {
            children: [Some(Child { strategy: grid, when: Regimes::ALL, weight: 1_000_000 }), None, None, None],
            choice: Choice::Spacing(adjuster),
            capital: None,
        }
    }

    /// The children that are traded: of a grid whose spacing is chosen one for each spacing.
    fn traded(&self) -> Result<ArrayVec<Child, CHILDREN_MAX>, ParameterError> {
        let children: ArrayVec<Child, CHILDREN_MAX> = self.children.iter().flatten().copied().collect();
        let Choice::Spacing(adjuster) = self.choice else {
            return if children.is_empty() { Err(ParameterError::range("children", 0, "1 to 4")) } else { Ok(children) };
        };
        match children.as_slice() {
            [only @ Child { strategy: ChildConfig::Grid(grid, options), .. }] => Ok((0..adjuster.spacings.min(CHILDREN_MAX as u8))
                .map(|spacing| {
                    let (grid, options) = adjuster.grid(*grid, *options, spacing);
                    Child { strategy: ChildConfig::Grid(grid, options), ..*only }
                })
                .collect()),
            _ => Err(ParameterError::range("children", children.len(), "one grid, whose spacing is chosen")),
        }
    }

    /// The grid among its children, if there is one: the engine keeps how its levels lie.
    pub fn grid(&self) -> Option<(crate::GridConfig, crate::GridOptions)> {
        self.children.iter().flatten().find_map(|child| match child.strategy {
            ChildConfig::Grid(grid, options) => Some((grid, options)),
            _ => None,
        })
    }

    /// The longest bar that all bars of its figures are made of; `None` when it goes by prices alone.
    pub fn bar(&self) -> Option<Duration> {
        let children = self.children.iter().flatten().filter_map(|child| child.strategy.alone().bar());
        common_bar(children.chain(self.choice.bar()))
    }

    /// The configured word.
    pub fn name(&self) -> &'static str {
        match self.children {
            [Some(only), None, None, None] => only.strategy.name(),
            _ => "combo",
        }
    }

    /// Checks all parameters that need no symbol.
    ///
    /// # Errors
    /// The first that is out of range.
    pub fn check_all(&self) -> Result<(), ParameterError> {
        let children = self.traded()?;
        let quotes: usize = children.iter().map(|child| child.strategy.quotes()).sum();
        // Of spacings only one opens, but all of them close.
        let spared = match (self.choice, children.first()) {
            (Choice::Spacing(_), Some(child)) => child.strategy.opening_quotes() * (children.len() - 1),
            _ => 0,
        };
        if quotes - spared > QUOTES_MAX {
            let value = format_args!("{} for all children together", quotes - spared);
            return Err(ParameterError::range("windows and layers", value, "64 orders wanted at once"));
        }
        if children.iter().any(|child| child.when == Regimes::NONE) {
            return Err(ParameterError::range("when", "nothing", "a regime at least in which the strategy opens"));
        }
        // Levels mean the same for all grids of a symbol.
        let mut spacings = children.iter().filter_map(|child| match child.strategy {
            ChildConfig::Grid(grid, options) => Some((options.spacing(grid.interval), options.compound)),
            _ => None,
        });
        if let (Some(first), false) = (spacings.next(), matches!(self.choice, Choice::Spacing(_))) {
            if spacings.any(|other| other.0 != first.0) {
                return Err(ParameterError::range("price_interval", "not the same", "one for all grids of a symbol"));
            }
            if first.1 != 0 && children.len() > 1 {
                return Err(ParameterError::range(
                    "compound",
                    first.1,
                    "0 beside other strategies, whose profit it would take for its own",
                ));
            }
        }
        if let Some(capital) = &self.capital {
            let weights: ArrayVec<u32, CHILDREN_MAX> = children.iter().map(|child| child.weight).collect();
            capital.check(&weights)?;
        }
        match self.choice {
            Choice::All => Ok(()),
            Choice::Trend(trend) => TrendDetector::new(trend).map(|_| ()),
            Choice::Spacing(adjuster) => match self.grid() {
                Some((grid, options)) => DynamicAdjuster::new(adjuster, grid, options).map(|_| ()),
                None => Ok(()),
            },
        }
    }

    /// Checks that each child can trade on a symbol at a price. Of a grid whose spacing is chosen, one spacing must earn its fees.
    ///
    /// # Errors
    /// The first reason why one cannot.
    pub fn check(&self, instrument: &Instrument, price: Price) -> Result<(), StrategyError> {
        self.check_all()?;
        let children = self.traded()?;
        if !matches!(self.choice, Choice::Spacing(_)) {
            return children.iter().try_for_each(|child| child.strategy.check(instrument, price));
        }
        let mut verdict = Ok(());
        for child in &children {
            verdict = child.strategy.check(instrument, price);
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }
}

/// A child as it stands.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Member {
    strategy: ChildStrategy,
    when: Regimes,
    /// What it wants.
    quotes: Quotes,
    /// What was held when it wrote that: see [`View::inventory_epoch`].
    epoch: u64,
    /// Its word.
    name: Word,
}

/// A word that is told by a kind, not stored.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Word {
    Combo,
    Only,
}

/// Trades several strategies on one symbol, at most four.
///
/// Every child is told everything, always, and writes what it wants; what becomes orders is decided here:
/// - What closes goes before what opens, and is never held back for a regime or for capital.
/// - A child opens, and adds to what it holds, only while the [`Choice`] allows it and its share of the capital is not taken.
/// - Only one direction is held at a time: while one child holds long positions, or an order of it may, no other opens short ones.
///   An account has one position, and what is long and short at once could not be closed by orders that only reduce.
/// - No two orders of ours meet: what opens yields to what closes, and waits beyond it; what closes at market waits for an order of
///   ours that it would take, which is withdrawn at once, and two seconds at most.
///
/// Each child has numbers of its own, by which its slots and profits are told apart, before and after a restart.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Combo {
    members: ArrayVec<Member, CHILDREN_MAX>,
    trend: Option<TrendDetector>,
    adjuster: Option<DynamicAdjuster>,
    capital: Option<CapitalAllocator>,
    /// What is wanted must be put together anew.
    behind: bool,
    /// Since when what closes at market waits for an order of ours that it would take.
    waits_since: Option<Time>,
}

impl Combo {
    /// Makes one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(cfg: &ComboConfig) -> Result<Self, ParameterError> {
        cfg.check_all()?;
        let children = cfg.traded()?;
        let name = if cfg.children.iter().flatten().count() == 1 { Word::Only } else { Word::Combo };
        let mut members = ArrayVec::new();
        for (place, child) in children.iter().enumerate() {
            let strategy = ChildStrategy::new(&child.strategy, place as u8)?;
            members.push(Member { strategy, when: child.when, quotes: Quotes::new(), epoch: 0, name });
        }
        let weights: ArrayVec<u32, CHILDREN_MAX> = children.iter().map(|child| child.weight).collect();
        let (mut trend, mut adjuster) = (None, None);
        match (cfg.choice, cfg.grid()) {
            (Choice::Trend(cfg), _) => trend = Some(TrendDetector::new(cfg)?),
            (Choice::Spacing(cfg), Some((grid, options))) => adjuster = Some(DynamicAdjuster::new(cfg, grid, options)?),
            (Choice::All | Choice::Spacing(_), _) => {}
        }
        let capital = cfg.capital.map(|capital| CapitalAllocator::new(capital, &weights)).transpose()?;
        Ok(Self { members, trend, adjuster, capital, behind: true, waits_since: None })
    }

    /// Figures of its own take a candle; tells whether somebody else may open now.
    fn choose(&mut self, event: &Event, changes: Changes, view: &View<'_>) -> bool {
        let trend = self.trend.as_mut().is_some_and(|trend| trend.event(event, view));
        let rules = changes.any(Changes::RULES);
        let spacing = self.adjuster.as_mut().is_some_and(|adjuster| adjuster.event(event, rules, view));
        let members = &self.members;
        let earned = |place: usize| members.get(place).map_or(0, |member| view.earned.of(member.strategy.number()));
        let capital = matches!(event, Event::Candle(_))
            && self.capital.as_mut().is_some_and(|capital| capital.look(view.now, core::array::from_fn(earned)));
        trend || spacing || capital
    }

    /// Whether a child may open and add.
    fn may_open(&self, place: usize) -> bool {
        match (&self.trend, &self.adjuster) {
            (Some(trend), _) => trend.regime().is_some_and(|regime| self.members.get(place).is_some_and(|member| member.when.has(regime))),
            (None, Some(adjuster)) => adjuster.chosen().is_some_and(|chosen| usize::from(chosen) == place),
            (None, None) => true,
        }
    }
}

impl Strategy for Combo {
    fn name(&self) -> &'static str {
        match self.members.first() {
            Some(Member { name: Word::Only, strategy, .. }) => strategy.as_ref().name(),
            _ => "combo",
        }
    }

    fn anchored(&mut self, anchor: Price) {
        self.members.iter_mut().for_each(|member| {
            member.quotes.clear();
            member.strategy.as_mut().anchored(anchor);
        });
        self.behind = true;
    }

    fn watch(&mut self, event: &Event, view: &View<'_>) {
        self.members.iter_mut().for_each(|member| member.strategy.as_mut().watch(event, view));
        self.behind |= self.choose(event, Changes::NONE, view);
    }

    fn on_event(&mut self, event: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        // Who may open, and what would meet what, changes with what is held and what works.
        let looked_at = Changes::INVENTORY.and(Changes::FREED).and(Changes::ACKED).and(Changes::GATE);
        let mut news = self.behind | self.waits_since.is_some() | changes.any(looked_at);
        news |= self.choose(event, changes, view);
        for member in &mut self.members {
            match member.strategy.as_mut().on_event(event, changes, view, &mut member.quotes) {
                Intent::Keep => continue,
                Intent::Want => {}
                Intent::Flat => member.quotes.clear(),
            }
            member.epoch = view.inventory_epoch;
            news = true;
        }
        if !news {
            return Intent::Keep;
        }
        self.behind = false;
        self.merge(view, want);
        Intent::Want
    }

    fn owns(&self, leg: Leg) -> bool {
        self.members.iter().any(|member| member.strategy.as_ref().owns(leg))
    }

    fn level_price(&self, leg: Leg, tick: Price) -> Option<Price> {
        self.members.iter().find_map(|member| member.strategy.as_ref().level_price(leg, tick))
    }

    fn memo(&self) -> Memo {
        let mut memo = Memo::NONE;
        for (word, member) in memo.0.iter_mut().zip(&self.members) {
            let [own, ..] = member.strategy.as_ref().memo().0;
            *word = own;
        }
        memo
    }

    fn recall(&mut self, memo: Memo) {
        for (word, member) in memo.0.into_iter().zip(&mut self.members) {
            member.strategy.as_mut().recall(Memo::of(word));
        }
    }

    fn is_warm(&self) -> bool {
        self.members.iter().all(|member| member.strategy.as_ref().is_warm())
    }

    fn is_indifferent(&self, top: &Top) -> bool {
        !self.behind
            && self.waits_since.is_none()
            && self.adjuster.as_ref().is_none_or(|adjuster| !adjuster.is_pending())
            && self.members.iter().all(|member| member.strategy.as_ref().is_indifferent(top))
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    #[cfg(feature = "serde")]
    fn saved(&self) -> Option<crate::saved::Saved> {
        Some(crate::saved::Saved::Combo(Box::new(self.clone())))
    }
}
