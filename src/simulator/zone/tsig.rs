//! TSIG: whether a request was signed with the zone's key, and the signature of the response.

use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::ProtoError;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::{TsigError, make_tsig_record};
use hickory_proto::rr::{Record, TSigner};
use secrecy::ExposeSecret;

use super::Key;

/// What the request's signature says.
pub(super) enum Signed {
    No,
    /// By the zone's key, now.
    Yes(Reply),
    /// Wrong key, signature or time: the answer is NOTAUTH with this reply.
    Badly(Reply),
}

/// How the response is to be signed.
pub(super) struct Reply {
    request: Box<Record<TSIG>>,
    error: Option<TsigError>,
}

impl Key {
    /// Checks the signature of a request, `bytes` as received and `message` as read from them.
    ///
    /// # Source
    /// RFC 8945 section 5.2: first the key, then the MAC, then the time.
    pub(super) fn check(&self, bytes: &[u8], message: &Message) -> Signed {
        let Some(request) = message.signature.clone() else { return Signed::No };
        let error = self.error(bytes, &request);
        let reply = Reply { request, error };
        if reply.error.is_some() { Signed::Badly(reply) } else { Signed::Yes(reply) }
    }

    fn error(&self, bytes: &[u8], request: &Record<TSIG>) -> Option<TsigError> {
        if request.name != self.name || request.data.algorithm != self.algorithm {
            return Some(TsigError::BadKey);
        }
        // The verifier subtracts the fudge from the time without looking; a time before 1970 plus the fudge is no time.
        if request.data.time < u64::from(request.data.fudge) {
            return Some(TsigError::BadSig);
        }
        let verified = self.signer().and_then(|signer| signer.verify_message_byte(bytes, None, true).ok());
        match verified {
            None => Some(TsigError::BadSig),
            Some((_, _, valid)) if !valid.contains(&unix_time()) => Some(TsigError::BadTime),
            Some(_) => None,
        }
    }

    /// Signs the encoded response as the request asked; the bytes to send.
    ///
    /// # Errors
    /// A response that can't be encoded, which a response made here can.
    ///
    /// # Source
    /// RFC 8945 sections 5.2.1 to 5.2.3 and 5.3: BADKEY and BADSIG go out without a MAC; BADTIME repeats the client's time and
    /// carries ours, so that the client can see how far apart the clocks are.
    pub(super) fn sign(&self, response: &mut Message, reply: Reply) -> Result<Vec<u8>, ProtoError> {
        let Record { name, data: request, .. } = *reply.request;
        let late = reply.error == Some(TsigError::BadTime);
        let time = if late { request.time } else { unix_time() };
        let other = if late { unix_time().to_be_bytes()[2..].to_vec() } else { Vec::new() };
        let mut tsig = TSIG::new(request.algorithm.clone(), time, FUDGE, Vec::new(), request.oid, reply.error, other);
        if !matches!(reply.error, Some(TsigError::BadKey | TsigError::BadSig)) {
            let signer = self.signer().ok_or("the zone's key can't sign")?;
            let bytes = signer.encode_response_tbs(&request.mac, &response.to_vec()?, &tsig)?;
            tsig = tsig.set_mac(signer.sign(&bytes).map_err(|error| ProtoError::from(error.to_string()))?);
        }
        response.set_signature(Box::new(make_tsig_record(name, tsig)));
        response.to_vec()
    }

    /// `None` only for an algorithm that [`Key::read`] lets no one choose.
    fn signer(&self) -> Option<TSigner> {
        TSigner::new(self.secret.expose_secret().clone(), self.algorithm.clone(), self.name.clone(), FUDGE).ok()
    }
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Seconds that the clocks may differ; the value RFC 8945 section 10 recommends.
const FUDGE: u16 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::zone::ZoneKey;
    use hickory_proto::op::{OpCode, ResponseCode};

    fn key() -> Key {
        let key = ZoneKey { name: "changeover".into(), algorithm: "hmac-sha256".into(), secret: "c2VjcmV0".to_owned().into() };
        Key::read(key).unwrap()
    }

    /// What the zone finds in a request signed at `time`, and whether the client can verify the response.
    fn exchange(time: u64) -> (Option<TsigError>, bool) {
        let mut request = Message::query();
        let mut verifier = request.finalize(&key().signer().unwrap(), time).unwrap().unwrap();
        let bytes = request.to_vec().unwrap();
        let reply = match key().check(&bytes, &Message::from_vec(&bytes).unwrap()) {
            Signed::Yes(reply) | Signed::Badly(reply) => reply,
            Signed::No => panic!("the signature was not seen"),
        };
        let error = reply.error;
        let mut response = Message::error_msg(request.id, OpCode::Query, ResponseCode::NotAuth);
        (error, verifier.verify(&key().sign(&mut response, reply).unwrap()).is_ok())
    }

    #[test]
    fn a_clock_too_far_off_is_told_so_in_a_signed_answer() {
        let now = unix_time();
        let cases = [
            (now, (None, true)),
            (now - 200, (None, true)),
            (now - 1000, (Some(TsigError::BadTime), true)),
            (now + 1000, (Some(TsigError::BadTime), true)),
            (10, (Some(TsigError::BadSig), false)),
        ];
        for (time, expected) in cases {
            assert_eq!(exchange(time), expected, "signed {} s from now", time as i64 - now as i64);
        }
    }
}
