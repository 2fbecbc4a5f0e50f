//! The header `traceparent`: a caller's trace read from it, and one written for the upstream. What callers say in `tracestate` is not
//! read: it is for their own collectors, and the upstream is somebody else.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use reqwest::header::{HeaderMap, HeaderValue};

use super::TRACEPARENT;

/// The caller's span, if it is named once and as the W3C's version 00 has it.
pub fn of(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let text = value.to_str().ok().filter(|text| text.len() == 55)?;
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parts: Vec<&str> = text.split('-').collect();
    let ["00", trace, span, flags] = *parts else { return None };
    if (trace.len(), span.len(), flags.len()) != (32, 16, 2) || ![trace, span, flags].into_iter().all(is_hex) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

/// The header that names this span.
pub fn header(span: &SpanContext) -> Option<HeaderValue> {
    let text = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).expect("a value"));
        }
        header(&of(&headers)?)?.to_str().ok().map(str::to_owned)
    }

    #[test]
    fn a_trace_is_taken_over_only_where_it_is_named_as_it_has_to_be() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(read(&[good]).as_deref(), Some(good));
        // Flags that are not known are not carried on.
        assert_eq!(read(&[&good.replace("-01", "-ff")]).as_deref(), Some(good));
        let unsampled = good.replace("-01", "-00");
        assert_eq!(read(&[&unsampled]), Some(unsampled));
        for wrong in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replace("00-", "01-"),
            &good.replace("00-", "ff-"),
            &format!("{good}-more"),
            &good[..54],
            &good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &good.replace("b7ad6b7169203331", &"0".repeat(16)),
            &good.replace("0af7", "+af7"),
            &good.replace("19c-b7", "19-cb7"),
            &format!("{good}{}", "0".repeat(10_000)),
        ] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&[good, good]), None);
        assert_eq!(read(&[]), None);
    }
}
