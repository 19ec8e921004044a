use crate::limits::ECHOES_MAX;
use plimsoll_market::Event;

/// A loop that owns an engine: the program's with a real clock, or a simulation's with made-up time.
pub trait Shell {
    /// Tells the engine an event and carries out its actions in their order. What could not be done is kept as an echo.
    fn step(&mut self, event: &Event);

    /// Takes the oldest echo: an event that carrying out an action caused at once.
    fn next_echo(&mut self) -> Option<Event>;
}

/// Tells an event, and before anything else what came of it at once: the rule that every loop keeps, so that an engine
/// decides the same in all of them.
///
/// # Bounds
/// [`ECHOES_MAX`] echoes; refusals end in a pause, so there are no more. What is left then follows the next event.
pub fn turn(shell: &mut impl Shell, event: &Event) {
    shell.step(event);
    let mut left = ECHOES_MAX;
    while left > 0
        && let Some(echo) = shell.next_echo()
    {
        left -= 1;
        shell.step(&echo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Every event but a wake causes itself and a wake, up to a number of steps.
    struct Chatty {
        told: Vec<Event>,
        echoes: VecDeque<Event>,
        most: usize,
    }

    impl Shell for Chatty {
        fn step(&mut self, event: &Event) {
            self.told.push(event.clone());
            if *event != Event::Wake && self.told.len() < self.most {
                self.echoes.extend([event.clone(), Event::Wake]);
            }
        }

        fn next_echo(&mut self) -> Option<Event> {
            self.echoes.pop_front()
        }
    }

    #[test]
    fn echoes_come_in_their_order_and_have_an_end() {
        let mut shell = Chatty { told: Vec::new(), echoes: VecDeque::new(), most: 3 };
        turn(&mut shell, &Event::ResyncFailed);
        assert_eq!(shell.told, [Event::ResyncFailed, Event::ResyncFailed, Event::Wake, Event::ResyncFailed, Event::Wake]);
        let mut shell = Chatty { told: Vec::new(), echoes: VecDeque::new(), most: usize::MAX };
        turn(&mut shell, &Event::ResyncFailed);
        assert_eq!(shell.told.len(), 1 + ECHOES_MAX);
    }
}
