//! What the automata of tokens decide, a piece of code for each state.

use std::collections::HashMap;

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::call::field;
use super::emit::Emitter;
use crate::token::{ACCEPT, Automaton, BAIL, DEAD};

/// The code of one automaton while it is made.
struct States<'a> {
    automaton: &'a Automaton,
    labels: HashMap<u16, State>,
    /// States that have no code yet.
    open: Vec<u16>,
    accept: DynamicLabel,
    dead: DynamicLabel,
    bail: DynamicLabel,
    bails: bool,
}

#[derive(Clone, Copy)]
struct State {
    /// Where a byte leads to it.
    taken: DynamicLabel,
    /// Where the next byte is looked at.
    next: DynamicLabel,
}

impl Emitter<'_> {
    /// Emits a token, which starts in one register of the program and ends in the next where one is given. Says which
    /// operation is to be emitted next: where the automaton decides everything, the token's own are left out.
    pub(super) fn token(&mut self, at: u32, token: u32, register: Option<u32>) -> u32 {
        let program = self.program;
        let token = &program.tokens[token as usize];
        // Inside of a token that was left to the operations there is no other attempt.
        let decider = if at < self.undecided { None } else { token.decider(program) };
        let Some(automaton) = decider else { return at + 1 };
        let (accept, dead, bail) = (self.label(), self.label(), self.label());
        let mut states =
            States { automaton, labels: HashMap::new(), open: Vec::new(), accept, dead, bail, bails: false };
        dynasm!(self.asm; mov [r15 + field::TOKEN_START], rbx);
        if let Some(register) = register {
            self.save(register);
        }
        self.start(&mut states);
        while let Some(state) = states.open.pop() {
            self.state(&mut states, state);
        }
        dynasm!(self.asm; =>accept);
        self.spend();
        if let Ok(limit) = i32::try_from(automaton.limit()) {
            states.bails = true;
            dynasm!(self.asm; mov rax, rbx; sub rax, [r15 + field::TOKEN_START]; cmp rax, limit; ja =>bail);
        }
        if let Some(register) = register {
            self.save(register + 1);
        }
        // Past the operation that stores the token's end.
        let end = token.end + u32::from(register.is_some());
        dynasm!(self.asm; jmp =>self.ops[end as usize]; =>dead);
        self.spend();
        dynasm!(self.asm; jmp =>self.fail; =>bail);
        if !states.bails {
            return end;
        }
        self.undecided = self.undecided.max(token.end);
        self.spend();
        dynasm!(self.asm; mov rbx, [r15 + field::TOKEN_START]);
        at + 1
    }

    /// Takes fuel for the bytes since the token's start.
    fn spend(&mut self) {
        dynasm!(self.asm
            ; mov eax, ebx
            ; sub eax, [r15 + field::TOKEN_START]
            ; shr eax, 4
            ; sub [r15 + field::FUEL], rax
        );
    }

    /// Goes to the first state, by the byte before.
    fn start(&mut self, states: &mut States<'_>) {
        let edge = states.automaton.start(None);
        let after: Vec<u16> = (0..=255).map(|byte| states.automaton.start(Some(byte))).collect();
        let mut next = |state: u16| self.known(states, state).next;
        let (edge_label, targets): (_, [DynamicLabel; 256]) =
            (next(edge), std::array::from_fn(|byte| next(after[byte])));
        if after.iter().all(|&state| state == edge) {
            dynasm!(self.asm; jmp =>edge_label);
            return;
        }
        dynasm!(self.asm; test rbx, rbx; jz =>edge_label; movzx eax, BYTE [r12 + rbx - 1]);
        self.decide(&targets, None);
    }

    /// The labels of a state. New ones are open.
    fn known(&mut self, states: &mut States<'_>, state: u16) -> State {
        if let Some(known) = states.labels.get(&state) {
            return *known;
        }
        let labels = State { taken: self.label(), next: self.label() };
        states.labels.insert(state, labels);
        states.open.push(state);
        labels
    }

    /// Where a state goes on, or an answer.
    fn outcome(&mut self, states: &mut States<'_>, after: u16) -> DynamicLabel {
        match after {
            DEAD => states.dead,
            ACCEPT => states.accept,
            BAIL => {
                states.bails = true;
                states.bail
            }
            state => self.known(states, state).taken,
        }
    }

    fn state(&mut self, states: &mut States<'_>, state: u16) {
        let State { taken, next } = self.known(states, state);
        dynasm!(self.asm; =>taken; inc rbx; =>next);
        let edge = self.outcome(states, states.automaton.after(state, None));
        // Neighbouring bytes mostly lead to the same place.
        let (mut last, mut label) = (states.automaton.after(state, None), edge);
        let targets = std::array::from_fn(|byte| {
            let after = states.automaton.after(state, Some(byte as u8));
            if after != last {
                (last, label) = (after, self.outcome(states, after));
            }
            label
        });
        // In an idle state the run takes what leads back to it.
        if let Some(run) = states.automaton.idle_run(state) {
            self.skip(run);
        }
        self.next_byte(edge);
        self.decide(&targets, states.open.last().map(|state| states.labels[state].taken));
    }
}
