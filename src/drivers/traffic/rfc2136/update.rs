//! The messages of a change: made and signed, and the response read. No I/O.
//!
//! hickory's client turns an unsigned NOTAUTH into a complaint about truncated MACs, so the response is read here: the RCODE
//! is seen even where the MAC is missing, and success is believed only with a valid one.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigVerifier, TSigner};

use super::FUDGE_SECS;
use super::ask::rcode;

/// One RRset of a change: it must hold exactly `from` now.
pub(super) struct Piece<'a> {
    pub name: &'a Name,
    pub from: &'a RData,
    pub to: &'a RData,
    pub ttl: u32,
}

/// One change of all RRsets of an entry: either all of them change, or none.
pub(super) struct Change<'a> {
    pub zone: &'a Name,
    pub pieces: Vec<Piece<'a>>,
}

/// A signed update on its way.
pub(super) struct Signed {
    pub bytes: Vec<u8>,
    id: u16,
    /// UNIX seconds.
    at: u64,
    verifier: TSigVerifier,
}

/// What the primary's response says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Applied, with a valid signature.
    Applied,
    /// The prerequisite did not hold, with a valid signature.
    Stale,
    /// Refused, with a valid signature or without one (`signed`).
    Denied { reason: String, signed: bool },
    /// Nothing can be concluded.
    Unclear(String),
}

impl Change<'_> {
    /// Compare and swap: each RRset must hold exactly `from`; then it is deleted and `to` added. With `to` as `from`, only the
    /// TTL changes.
    ///
    /// # Source
    /// RFC 2136 sections 2.4.2, 2.5.2 and 2.5.1; one message is applied as a whole or not at all, section 3.7.
    pub fn swap(&self) -> Message {
        let mut message = self.guarded();
        for piece in &self.pieces {
            let mut delete = Record::update0(piece.name.clone(), 0, piece.from.record_type());
            delete.dns_class = DNSClass::ANY;
            message.add_authority(delete).add_authority(value(piece.name, piece.ttl, piece.to));
        }
        message
    }

    /// The same guard and the same rights, for both values, and yet nothing changes, not even the serial: what is deleted is not
    /// there, and what is added stands already.
    ///
    /// # Source
    /// RFC 2136 sections 3.4.2.2 and 3.4.2.4 (a duplicate is ignored, and so is the deleting of what is not there); the tests find
    /// the serial where it was with BIND, Knot DNS and PowerDNS.
    pub fn proof(&self) -> Message {
        let mut message = self.guarded();
        for piece in &self.pieces {
            let mut delete = value(piece.name, 0, piece.to);
            delete.dns_class = DNSClass::NONE;
            message.add_authority(delete);
            // PowerDNS 4.7 counts an alias that is added again as a change, and moves the serial.
            if piece.from.record_type() != RecordType::CNAME {
                message.add_authority(value(piece.name, piece.ttl, piece.from));
            }
        }
        message
    }

    fn guarded(&self) -> Message {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.zone.clone(), RecordType::SOA));
        message.add_answers(self.pieces.iter().map(|piece| value(piece.name, 0, piece.from)));
        message
    }
}

fn value(name: &Name, ttl: u32, data: &RData) -> Record {
    Record::from_rdata(name.clone(), ttl, data.clone())
}

impl Signed {
    /// Signs a message at `now`, UNIX seconds of the machine's clock.
    pub fn new(mut message: Message, signer: &TSigner, now: u64) -> Result<Self, String> {
        let verifier = message.finalize(signer, now).map_err(|error| error.to_string())?;
        let verifier = verifier.ok_or("the signer made no verifier")?;
        Ok(Self { bytes: message.to_vec().map_err(|error| error.to_string())?, id: message.id, at: now, verifier })
    }

    /// Reads the response to this message.
    pub fn verdict(mut self, response: &[u8]) -> Verdict {
        let Ok(message) = Message::from_vec(response) else { return Verdict::Unclear("an unreadable answer".to_owned()) };
        if message.id != self.id || message.message_type != MessageType::Response || message.op_code != OpCode::Update {
            return Verdict::Unclear("an answer to another question".to_owned());
        }
        let tsig = message.signature.as_ref().map(|record| &record.data);
        // hickory's verifier subtracts the fudge from the time without looking.
        let sane = tsig.is_some_and(|tsig| tsig.time >= u64::from(tsig.fudge));
        let signed = sane && self.verifier.verify(response).is_ok();
        judge(message.response_code, tsig, signed, self.at)
    }
}

fn judge(code: ResponseCode, tsig: Option<&TSIG>, signed: bool, at: u64) -> Verdict {
    use ResponseCode::{NXDomain, NXRRSet, NoError, ServFail, YXDomain, YXRRSet};
    match (code, signed) {
        (NoError, true) => Verdict::Applied,
        (NoError, false) => Verdict::Unclear("an answer of success without a valid signature".to_owned()),
        // The server failed while it worked on the update; only a look can tell how far it came.
        (ServFail, _) => Verdict::Unclear("answer SERVFAIL".to_owned()),
        (NXDomain | NXRRSet | YXDomain | YXRRSet, true) => Verdict::Stale,
        _ => Verdict::Denied { reason: denial(code, tsig, at), signed },
    }
}

fn denial(code: ResponseCode, tsig: Option<&TSIG>, at: u64) -> String {
    let detail = match tsig.and_then(|tsig| tsig.error) {
        Some(TsigError::BadKey) => ", BADKEY: the server does not know this key, or does not let it change this".to_owned(),
        Some(TsigError::BadSig) => ", BADSIG: the secret differs".to_owned(),
        Some(TsigError::BadTime) => format!(", BADTIME: clock skew: {}", clocks(tsig, at)),
        Some(error) => format!(", TSIG error {}", u16::from(error)),
        None => String::new(),
    };
    format!("{}{detail}", rcode(code))
}

/// Both clocks: ours, by which the update was signed, and the server's, which a BADTIME answer carries in six octets.
///
/// # Source
/// RFC 8945 section 5.2.3.
fn clocks(tsig: Option<&TSIG>, at: u64) -> String {
    let octets = tsig.map(|tsig| tsig.other.as_slice()).unwrap_or_default();
    let told = octets.iter().fold(0_i64, |time, octet| (time << 8) | i64::from(*octet));
    let signed = i64::try_from(at).unwrap_or(i64::MAX);
    let shown = |seconds| jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds} s"), |time| time.to_string());
    let ours = format!("this machine signed at {}", shown(signed));
    if octets.len() != 6 {
        return format!("{ours}, and the server does not tell what its clock says; {FUDGE_SECS} s may lie between them");
    }
    let apart = signed.abs_diff(told);
    format!("{ours}, the server's clock says {}: {apart} s apart, {FUDGE_SECS} s are allowed", shown(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, make_tsig_record};

    const NOW: u64 = 1_800_000_000;

    fn signer(secret: &[u8]) -> TSigner {
        TSigner::new(secret.to_vec(), TsigAlgorithm::HmacSha256, "changeover.".parse().unwrap(), 300).unwrap()
    }

    fn signed() -> Signed {
        let (zone, record): (Name, Name) = ("example.com.".parse().unwrap(), "support.example.com.".parse().unwrap());
        let [from, to] = [[192, 0, 2, 10], [192, 0, 2, 20]].map(|octets| RData::from(std::net::IpAddr::from(octets)));
        let change = Change { zone: &zone, pieces: vec![Piece { name: &record, from: &from, to: &to, ttl: 60 }] };
        Signed::new(change.swap(), &signer(b"secret"), NOW).unwrap()
    }

    /// How a server might sign.
    #[derive(Clone, Copy, Debug)]
    struct Hand {
        secret: Option<&'static [u8]>,
        time: u64,
        error: Option<TsigError>,
    }

    const GOOD: Option<Hand> = Some(Hand { secret: Some(b"secret"), time: NOW, error: None });

    fn response(request: &Signed, code: ResponseCode, hand: Option<Hand>) -> Vec<u8> {
        let mut response = Message::error_msg(request.id, OpCode::Update, code);
        let Some(hand) = hand else { return response.to_vec().unwrap() };
        let other =
            if hand.error == Some(TsigError::BadTime) { 1_800_003_600_u64.to_be_bytes()[2..].to_vec() } else { Vec::new() };
        let mut tsig = TSIG::new(TsigAlgorithm::HmacSha256, hand.time, 300, Vec::new(), request.id, hand.error, other);
        if let Some(secret) = hand.secret {
            let mac = Message::from_vec(&request.bytes).unwrap().signature.unwrap().data.mac;
            let bytes = signer(secret).encode_response_tbs(&mac, &response.to_vec().unwrap(), &tsig).unwrap();
            tsig = tsig.set_mac(signer(secret).sign(&bytes).unwrap());
        }
        response.set_signature(Box::new(make_tsig_record("changeover.".parse().unwrap(), tsig)));
        response.to_vec().unwrap()
    }

    #[test]
    fn success_needs_a_valid_signature_and_a_refusal_is_named() {
        let denied = |reason: &str, signed| Verdict::Denied { reason: reason.to_owned(), signed };
        let unclear = || Verdict::Unclear("an answer of success without a valid signature".to_owned());
        let hand = |secret, time, error| Some(Hand { secret, time, error });
        let no_key = hand(None, NOW, Some(TsigError::BadKey));
        let no_sig = hand(None, NOW, Some(TsigError::BadSig));
        let late = hand(Some(&b"secret"[..]), NOW, Some(TsigError::BadTime));
        let cases = [
            (ResponseCode::NoError, GOOD, Verdict::Applied),
            (ResponseCode::NoError, None, unclear()),
            (ResponseCode::NoError, hand(Some(b"other"), NOW, None), unclear()),
            (ResponseCode::NoError, hand(Some(b"secret"), NOW + 3600, None), unclear()),
            (ResponseCode::NoError, hand(Some(b"secret"), 0, None), unclear()),
            (ResponseCode::NXRRSet, GOOD, Verdict::Stale),
            (ResponseCode::NXRRSet, None, denied("NXRRSET", false)),
            (ResponseCode::Refused, GOOD, denied("REFUSED", true)),
            (ResponseCode::Refused, None, denied("REFUSED", false)),
            (ResponseCode::ServFail, GOOD, Verdict::Unclear("answer SERVFAIL".to_owned())),
            (
                ResponseCode::NotAuth,
                no_key,
                denied("NOTAUTH, BADKEY: the server does not know this key, or does not let it change this", false),
            ),
            (ResponseCode::NotAuth, no_sig, denied("NOTAUTH, BADSIG: the secret differs", false)),
            (
                ResponseCode::NotAuth,
                late,
                denied(
                    "NOTAUTH, BADTIME: clock skew: this machine signed at 2027-01-15T08:00:00Z, the server's clock says 2027-01-15T09:00:00Z: 3600 s apart, 300 s are allowed",
                    true,
                ),
            ),
        ];
        for (code, hand, expected) in cases {
            let request = signed();
            let answer = response(&request, code, hand);
            assert_eq!(request.verdict(&answer), expected, "{code} {hand:?}");
        }
    }

    #[test]
    fn noise_and_answers_to_others_prove_nothing() {
        let request = signed();
        let good = response(&request, ResponseCode::NoError, GOOD);
        for length in 0..good.len() {
            let verdict = Signed { bytes: request.bytes.clone(), ..signed() }.verdict(&good[..length]);
            assert!(matches!(verdict, Verdict::Unclear(_)), "{length}: {verdict:?}");
        }
        let other = signed();
        let verdict = Signed { id: request.id.wrapping_add(1), ..other }.verdict(&good);
        assert_eq!(verdict, Verdict::Unclear("an answer to another question".to_owned()));
    }
}
