//! The making of an automaton from operations.

use std::collections::HashMap;

use super::classes::Classes;
use super::step::{Outcome, Place, Refused, Stepper};
use super::{ACCEPT, ANSWERS, Automaton, BAIL, DEAD, Token, Wall, Walls};
use crate::program::Program;
use crate::run::{ByteRun, Stops};

/// The most operations of a token.
pub(super) const MAX_OPS: usize = 3000;
/// The most states of an automaton.
const MAX_STATES: usize = 1500;
/// The most entries of its table.
const MAX_TABLE: usize = 40_000;
/// The most places that are followed while it is made.
const MAX_WORK: u32 = 400_000;
/// How many bytes a state must stay the same over, for a search for where it changes to pay.
const MIN_IDLE: usize = 40;

/// A state: the places in the operations and, where it matters, the class of the byte before.
type Key = (Vec<Place>, Option<u8>);

struct Builder<'p> {
    stepper: Stepper<'p>,
    classes: Classes,
    known: HashMap<Key, usize>,
    states: Vec<Key>,
}

/// The automaton of a token; `None` when it has none that is exact and small.
pub(super) fn automaton(program: &Program, token: &Token) -> Option<Automaton> {
    let classes = Classes::of(program, token)?;
    let stepper = Stepper::new(program, token, usize::MAX, MAX_WORK).ok()?;
    let mut builder = Builder { stepper, classes, known: HashMap::new(), states: Vec::new() };
    let edge = builder.classes.edge();
    let starts: Vec<usize> =
        (0..=edge).map(|before| builder.state(vec![(token.first, 0)], before)).collect::<Result<_, _>>().ok()?;
    let rows = builder.rows().ok()?;
    // What fails wherever it starts, or never decides, is not worth a table.
    let decides = starts.iter().any(|&start| rows[start].iter().any(|cell| !matches!(cell, Cell::Answer(DEAD | BAIL))));
    decides.then(|| builder.finish(&starts, rows))
}

/// An entry of the table before the states have their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Answer(u16),
    To(usize),
}

impl Builder<'_> {
    /// The number of the state with these places after a byte of class `before`.
    fn state(&mut self, places: Vec<Place>, before: u8) -> Result<usize, Refused> {
        let depends = self.stepper.depends_on_before(&places);
        let before = depends.then(|| self.classes.seen_behind[usize::from(before)]);
        let key = (places, before);
        if let Some(&state) = self.known.get(&key) {
            return Ok(state);
        }
        let state = self.states.len();
        let entries = (state + 1) * (usize::from(self.classes.edge()) + 2);
        if state >= MAX_STATES || entries > MAX_TABLE {
            return Err(Refused);
        }
        self.states.push(key.clone());
        self.known.insert(key, state);
        Ok(state)
    }

    fn sample(&self, class: u8) -> Option<u8> {
        self.classes.samples.get(usize::from(class)).copied()
    }

    fn rows(&mut self) -> Result<Vec<Vec<Cell>>, Refused> {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        // States from which no decision is sure to come.
        let mut doomed: Vec<bool> = Vec::new();
        while rows.len() < self.states.len() {
            let (places, before) = self.states[rows.len()].clone();
            let before = before.and_then(|class| self.sample(class));
            let edge = self.classes.edge();
            let mut row = Vec::with_capacity(usize::from(edge) + 1);
            doomed.push(false);
            for class in 0..=edge {
                let byte = self.sample(class);
                row.push(match self.stepper.step(&places, before, byte)? {
                    Outcome::Dead => Cell::Answer(DEAD),
                    Outcome::Accept => Cell::Answer(ACCEPT),
                    Outcome::Bail => Cell::Answer(BAIL),
                    Outcome::Ambiguous => {
                        doomed[rows.len()] = true;
                        Cell::Answer(BAIL)
                    }
                    Outcome::To(places) => Cell::To(self.state(places, class)?),
                });
            }
            rows.push(row);
        }
        give_up_early(&mut rows, doomed);
        Ok(rows)
    }

    /// The bytes over which a state stays the same, when looking for the others pays.
    fn idle_run(&self, state: usize, row: &[Cell]) -> Option<ByteRun> {
        let stays: [bool; 256] = std::array::from_fn(|byte| row[usize::from(self.classes.of[byte])] == Cell::To(state));
        let count = stays.iter().filter(|stays| **stays).count();
        let few = Stops::of((0..=255).filter(|byte: &u8| !stays[usize::from(*byte)])).is_some();
        (few || count >= MIN_IDLE).then(|| ByteRun::new(stays))
    }

    fn walls(&self, starts: &[usize], rows: &[Vec<Cell>]) -> Option<Walls> {
        let edge = self.classes.edge();
        let any = |class: u8, test: &dyn Fn(Cell) -> bool| rows.iter().any(|row| test(row[usize::from(class)]));
        let accepts = |cell: Cell| cell == Cell::Answer(ACCEPT);
        // `None` is no wall.
        let kinds = (0..=edge).map(|class| {
            let passes = any(class, &|cell| matches!(cell, Cell::To(_)));
            let ends = any(class, &accepts);
            if any(class, &|cell| cell == Cell::Answer(BAIL)) || (passes && ends) {
                Some(Wall::Unclear)
            } else if passes {
                None
            } else {
                Some(if ends { Wall::Ends } else { Wall::Blocks })
            }
        });
        let kinds: Vec<Option<Wall>> = kinds.collect();
        let of = |byte: usize| kinds[usize::from(self.classes.of[byte])];
        let empty = starts.iter().any(|&start| rows[start].iter().any(|cell| accepts(*cell)));
        (!empty).then(|| Walls {
            between: ByteRun::new(std::array::from_fn(|byte| of(byte).is_none())),
            between_sure: ByteRun::new(std::array::from_fn(|byte| of(byte).is_none_or(|kind| kind == Wall::Unclear))),
            kinds: std::array::from_fn(|byte| of(byte).unwrap_or(Wall::Unclear)),
            edge: kinds[usize::from(edge)].unwrap_or(Wall::Blocks),
        })
    }

    fn finish(self, starts: &[usize], rows: Vec<Vec<Cell>>) -> Automaton {
        // One entry for every class, and one for the number of an idle state's run.
        let stride = u16::from(self.classes.edge()) + 2;
        let mut order: Vec<(usize, Option<ByteRun>)> =
            rows.iter().enumerate().map(|(state, row)| (state, self.idle_run(state, row))).collect();
        order.sort_by_key(|(_, run)| run.is_some());
        let mut numbers = vec![0u16; rows.len()];
        for (at, (state, _)) in order.iter().enumerate() {
            numbers[*state] = ANSWERS + at as u16 * stride;
        }
        // The entries of the answers' numbers are never read.
        let mut table = vec![DEAD; usize::from(ANSWERS)];
        let walls = self.walls(starts, &rows);
        let busy = order.iter().filter(|(_, run)| run.is_none()).count();
        for (at, (state, _)) in order.iter().enumerate() {
            table.extend(rows[*state].iter().map(|cell| match *cell {
                Cell::Answer(answer) => answer,
                Cell::To(state) => numbers[state],
            }));
            table.push(at.saturating_sub(busy) as u16);
        }
        Automaton {
            classes: self.classes.of,
            edge: self.classes.edge(),
            table,
            starts: starts.iter().map(|&state| numbers[state]).collect(),
            idle: busy as u16 * stride,
            runs: order.into_iter().filter_map(|(_, run)| run).collect(),
            walls,
            limit: self.stepper.limit,
        }
    }
}

/// Stops where a doomed state would be entered, or one that leads to such states only.
fn give_up_early(rows: &mut [Vec<Cell>], mut doomed: Vec<bool>) {
    loop {
        let mut changed = false;
        for (state, row) in rows.iter_mut().enumerate() {
            let mut decides = false;
            for cell in row.iter_mut() {
                match *cell {
                    Cell::To(to) if doomed[to] => *cell = Cell::Answer(BAIL),
                    Cell::To(_) | Cell::Answer(ACCEPT) => decides = true,
                    Cell::Answer(_) => {}
                }
            }
            let bails = row.contains(&Cell::Answer(BAIL));
            if bails && !decides && !doomed[state] {
                doomed[state] = true;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}
