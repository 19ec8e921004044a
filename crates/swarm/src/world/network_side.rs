//! What is between the bot and the exchange.

use super::*;

impl World {
    pub(super) fn send(&mut self, request: HttpRequest) {
        let (run, id) = (self.run, request.id);
        self.say(|| format!("→ {} {} {}", id.0, request.method.as_str(), request.target));
        let sent_at = self.now;
        if self.goes_wrong(Fault::NotSent) {
            let at = self.now + self.delay();
            return self.push(at, Later::Session(run, ToSession::Failed(id, Sent::No)));
        }
        let mut at = self.now + self.delay();
        let refused = self.refusal(&request);
        let ordered = self.ordered(&request);
        if ordered == Some(Requests::Lose) {
            return self.push(self.now + request.timeout, Later::Session(run, ToSession::Failed(id, Sent::Maybe)));
        }
        let fate = if let Some(ordered) = ordered {
            match ordered {
                Requests::Lose | Requests::LoseAnswer => Fate::AnswerLost,
                Requests::Late(by) => Fate::Late(by),
                Requests::Refuse(status, code) => Fate::Refused(status, code),
                Requests::Edit(from, to) => Fate::Edited(from, to),
            }
        } else if self.goes_wrong(Fault::Lost) {
            let late = self.up_to(request.timeout);
            return self.push(self.now + late, Later::Session(run, ToSession::Failed(id, Sent::Maybe)));
        } else if self.goes_wrong(Fault::TooSlow) {
            at = self.now + request.timeout + self.up_to(RECV_WINDOW);
            Fate::AnswerLost
        } else if self.goes_wrong(Fault::AnswerLost) {
            Fate::AnswerLost
        } else if self.goes_wrong(Fault::BusyAccepted) {
            Fate::BusyAccepted
        } else if self.goes_wrong(Fault::BusyRefused) {
            Fate::BusyRefused
        } else if self.goes_wrong(Fault::TimeoutAccepted) {
            Fate::TimeoutAccepted
        } else if self.goes_wrong(Fault::AnswerMangled) {
            Fate::Mangled
        } else {
            refused.unwrap_or(Fate::Plain)
        };
        self.push(at, Later::Arrive { run, request: Box::new(request), fate, sent_at });
    }

    /// Whether an order is refused, and how.
    fn refusal(&mut self, request: &HttpRequest) -> Option<Fate> {
        if request.method.as_str() != "POST" || !request.target.starts_with("/fapi/v1/order?") {
            return None;
        }
        // A reduce-only order needs no margin, and no other has nothing to reduce.
        let reduces = request.target.contains("reduceOnly=true");
        let (fault, codes) = REFUSALS.into_iter().find(|(fault, _)| {
            let fits = match fault {
                Fault::NoMargin | Fault::NotOpen => !reduces,
                Fault::NothingToReduce => reduces,
                _ => true,
            };
            fits && self.goes_wrong(*fault)
        })?;
        let (status, code) = codes.get(self.random.next_u64() as usize % codes.len()).copied()?;
        Some(if fault == Fault::Duplicate { Fate::Doubled(status, code) } else { Fate::Refused(status, code) })
    }

    /// A request at the exchange: carried out whether the sender still lives or not.
    pub(super) fn arrive(&mut self, run: u64, request: &HttpRequest, fate: &Fate, sent_at: Time) {
        let at = self.exchange_now();
        let refusing = self.refusing.filter(|(until, _)| *until > self.now);
        let failing = self.failing.filter(|(until, path)| *until > self.now && request.target.starts_with(path));
        let answer = if failing.is_some() {
            Fate::Refused(500, -1000).answer()
        } else if let Some((until, status)) = refusing {
            let (body, left) =
                (r#"{"code":-1003,"msg":"Too many requests; current limit of IP is 2400 requests per minute."}"#, until.since(self.now));
            Answer { status, body: body.to_owned(), weight: 2_400, orders: None, retry_after_s: Some(left.as_secs() + 1) }
        } else if matches!(fate, Fate::BusyRefused | Fate::Refused(..)) {
            fate.answer()
        } else {
            let key = request.api_key.then_some(KEY);
            self.counter.request(at, request.method.as_str(), &request.target, key)
        };
        if request.lane.is_order() {
            self.check_orders();
        }
        self.carry_streams();
        let mut due = self.now + self.delay();
        if let Fate::Late(by) = fate {
            due = due + *by;
        }
        let late = sent_at + request.timeout;
        let what = match fate {
            Fate::AnswerLost => ToSession::Failed(request.id, Sent::Maybe),
            _ if due > late => ToSession::Failed(request.id, Sent::Maybe),
            Fate::BusyAccepted | Fate::TimeoutAccepted | Fate::Doubled(..) if refusing.is_none() && failing.is_none() => {
                ToSession::Reply(request.id, Box::new(fate.answer()))
            }
            Fate::Mangled => {
                let body = mangle(&answer.body, &mut self.random);
                ToSession::Reply(request.id, Box::new(Answer { body, ..answer }))
            }
            Fate::Edited(from, to) => {
                let body = answer.body.replace(from, to);
                ToSession::Reply(request.id, Box::new(Answer { body, ..answer }))
            }
            Fate::Late(_) => ToSession::Reply(request.id, Box::new(answer)),
            Fate::Plain | Fate::BusyRefused | Fate::BusyAccepted | Fate::TimeoutAccepted | Fate::Refused(..) | Fate::Doubled(..) => {
                ToSession::Reply(request.id, Box::new(answer))
            }
        };
        self.push(due.min(late.max(self.now)), Later::Session(run, what));
    }

    pub(super) fn dial(&mut self, conn: ConnId, generation: u64, target: &str) -> anyhow::Result<()> {
        let refused = self.goes_wrong(Fault::Reset);
        self.with_bot(|world, bot| {
            let (run, at) = (world.run, world.now + world.delay());
            let stream = if refused { None } else { world.counter.open(target) };
            let Some(wire) = bot.wire(conn).as_mut().filter(|wire| wire.generation == generation) else {
                // Given up meanwhile.
                if let Some(stream) = stream {
                    world.counter.close(&stream);
                }
                return;
            };
            wire.free_at = at;
            wire.stream = stream;
            let what = if wire.stream.is_some() { ToSession::Connected(conn) } else { ToSession::Closed(conn, Closed::Refused) };
            if wire.stream.is_none() {
                *bot.wire(conn) = None;
            }
            world.push(at, Later::Session(run, what));
        })
    }

    /// Takes what the exchange has told its streams and puts it on its way.
    pub(super) fn carry_streams(&mut self) {
        let Some(mut bot) = self.bot.take() else { return };
        for at in 0..bot.wires.len() {
            let conn = ConnId(at as u8);
            while let Some(wire) = bot.wires.get_mut(at).and_then(Option::as_mut) {
                let Some(brought) = wire.stream.as_ref().and_then(|stream| stream.take()) else { break };
                let (run, generation) = (self.run, wire.generation);
                let due = (self.now + self.delay()).max(wire.free_at);
                match brought {
                    Brought::Close => {
                        wire.free_at = due;
                        self.push(due, Later::Hung { run, conn, generation, why: Closed::Remote });
                        break;
                    }
                    Brought::Text(_) if wire.deaf => {}
                    Brought::Text(text) => {
                        wire.free_at = due;
                        let mut text = text.as_str().to_owned();
                        let user = conn == ConnId::USER;
                        if !user && text.contains("depthUpdate") && self.goes_wrong(Fault::BookGap) {
                            continue;
                        }
                        if self.goes_wrong(Fault::FrameMangled) {
                            text = mangle(&text, &mut self.random);
                        }
                        let frame = |text| Later::Frame { run, conn, generation, text };
                        if user && wire.held.is_none() && self.goes_wrong(Fault::Swapped) {
                            wire.held = Some((text, 1 + (self.random.next_u64() % 8) as u8));
                            continue;
                        }
                        match self.ordered_frame(user, &text) {
                            Some(Frames::Drop) => continue,
                            Some(Frames::Late(by)) => {
                                self.push(due + by, frame(text));
                                continue;
                            }
                            Some(Frames::Twice) => self.push(due, frame(text.clone())),
                            None => {}
                        }
                        if let Some((_, left)) = &mut wire.held {
                            *left -= 1;
                        }
                        let held = wire.held.take_if(|(_, left)| *left == 0).map(|(text, _)| text);
                        let twice = user && self.goes_wrong(Fault::Twice);
                        if twice {
                            self.push(due, frame(text.clone()));
                        }
                        self.push(due, frame(text));
                        if let Some(held) = held {
                            self.push(due, frame(held));
                        }
                    }
                }
            }
        }
        self.bot = Some(bot);
    }
}
