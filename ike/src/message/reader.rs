//! A cursor that knows where it is.

use super::error::{ParseError, Problem};
use super::number::PayloadType;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    payload: Option<PayloadType>,
}

impl<'a> Reader<'a> {
    /// Over octets that begin at `at` of the message.
    pub(crate) const fn new(payload: Option<PayloadType>, octets: &'a [u8], at: usize) -> Self {
        Self {
            rest: octets,
            at,
            payload,
        }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn error(&self, problem: Problem) -> ParseError {
        ParseError::new(self.payload, self.at, problem)
    }

    pub(crate) const fn length(&self, length: usize, expected: &'static str) -> ParseError {
        self.error(Problem::Length { length, expected })
    }

    pub(crate) const fn value(&self, value: u64, expected: &'static str) -> ParseError {
        self.error(Problem::Value { value, expected })
    }

    pub(crate) fn take(
        &mut self,
        count: usize,
        expected: &'static str,
    ) -> Result<&'a [u8], ParseError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                self.at += count;
                Ok(taken)
            }
            None => Err(self.error(Problem::Truncated { expected })),
        }
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<&'a [u8; N], ParseError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                self.at += N;
                Ok(taken)
            }
            None => Err(self.error(Problem::Truncated { expected })),
        }
    }

    pub(crate) fn u8(&mut self, expected: &'static str) -> Result<u8, ParseError> {
        self.array::<1>(expected).map(|[octet]| *octet)
    }

    pub(crate) fn u16(&mut self, expected: &'static str) -> Result<u16, ParseError> {
        self.array(expected)
            .map(|octets| u16::from_be_bytes(*octets))
    }

    pub(crate) fn u32(&mut self, expected: &'static str) -> Result<u32, ParseError> {
        self.array(expected)
            .map(|octets| u32::from_be_bytes(*octets))
    }

    /// The next `count` octets as a reader of their own.
    pub(crate) fn sub(&mut self, count: usize, expected: &'static str) -> Result<Self, ParseError> {
        let at = self.at;
        let octets = self.take(count, expected)?;
        Ok(Self::new(self.payload, octets, at))
    }

    pub(crate) fn all(&mut self) -> &'a [u8] {
        let all = self.rest;
        self.at += all.len();
        self.rest = &[];
        all
    }

    pub(crate) fn end(&self, what: &'static str) -> Result<(), ParseError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.error(Problem::Trailing { what }))
        }
    }
}
