"""What the client does by itself: retries, errors that are not the server's, and signatures from elsewhere."""

from __future__ import annotations

import json
import unittest

import httpx

import hookwheel
from hookwheel import Hookwheel, Retries
from hookwheel.generated.models.job_state import check_job_state
from tests.endpoint import Answer, Endpoint

RECEIPT = {"id": "e", "type": "a", "created_at": "2026-01-15T09:30:00.000Z", "deliveries": 0}
ACCEPTED = Answer(202, json.dumps({"data": RECEIPT}).encode(), {"content-type": "application/json"})
BUSY = Answer(503, b'{"error":{"code":"queue_full","message":"later"}}', {"retry-after": "0"})


def answering(answers: list[Answer]) -> Endpoint:
    """An API that answers so, one after the other."""
    return Endpoint(lambda _: answers.pop(0))


class Repeating(unittest.TestCase):
    """When a request is made again."""

    def test_a_publish_is_made_again_under_the_same_key(self) -> None:
        lost = Answer(0)
        limited = Answer(429, b"{}", {"retry-after": "0"})
        with answering([BUSY, lost, limited, ACCEPTED]) as api, Hookwheel(api.url, "hw_key") as hw:
            self.assertEqual(hw.events.publish("a", 1).id, "e")
            made = [api.next() for _ in range(4)]
        self.assertEqual({one.headers["idempotency-key"] for one in made}, {made[0].headers["idempotency-key"]})
        self.assertEqual({one.body for one in made}, {b'{"type":"a","data":1}'})
        self.assertEqual(made[0].headers["authorization"], "Bearer hw_key")

    def test_each_publish_has_a_key_of_its_own(self) -> None:
        with answering([ACCEPTED, ACCEPTED]) as api, Hookwheel(api.url, "hw_key") as hw:
            hw.events.publish("a", 1)
            hw.events.publish("a", 1)
            self.assertNotEqual(api.next().headers["idempotency-key"], api.next().headers["idempotency-key"])

    def test_what_may_have_been_done_is_not_done_twice(self) -> None:
        with answering([BUSY]) as api, Hookwheel(api.url, "hw_key") as hw:
            with self.assertRaises(hookwheel.Unavailable) as busy:
                hw.webhooks.create(url="https://example.com", events=["*"])
            self.assertEqual((busy.exception.code, busy.exception.retry_after), ("queue_full", 0.0))
        with answering([Answer(0)]) as api, Hookwheel(api.url, "hw_key") as hw:
            with self.assertRaises(hookwheel.NotReached):
                hw.webhooks.create(url="https://example.com", events=["*"])

    def test_it_gives_up(self) -> None:
        with answering([BUSY] * 3) as api, Hookwheel(api.url, "hw_key", retries=Retries(count=2)) as hw:
            with self.assertRaises(hookwheel.Unavailable):
                hw.events.publish("a", 1)
            self.assertEqual(api.arrived.qsize(), 3)
        with Hookwheel("http://127.0.0.1:1", "hw_key", retries=Retries(count=0)) as hw:
            with self.assertRaises(hookwheel.NotReached):
                hw.events.publish("a", 1)

    def test_pauses_grow_follow_the_server_and_have_a_bound(self) -> None:
        silent = httpx.ReadError("nothing")
        retries = Retries()
        pauses = [retries.pause(silent, True, made, 0.0) or 0.0 for made in range(1, 5)]
        for least, pause in zip((0.25, 0.5, 1.0, 2.0), pauses, strict=True):
            self.assertTrue(least <= pause <= 2 * least, pauses)
        asked = httpx.Response(429, headers={"retry-after": "7"})
        self.assertTrue(7.0 <= (retries.pause(asked, False, 1, 0.0) or 0.0) <= 7.25)
        self.assertIsNone(retries.pause(asked, False, 1, 55.0))
        self.assertIsNone(retries.pause(httpx.Response(429, headers={"retry-after": "3600"}), True, 1, 0.0))
        self.assertIsNone(retries.pause(silent, True, 5, 0.0))

    def test_an_answer_of_somebody_else_is_told_as_one(self) -> None:
        with answering([Answer(404, b"<html>"), Answer(302, b"", {"location": "/login"})]) as api:
            with Hookwheel(api.url, "hw_key") as hw:
                with self.assertRaises(hookwheel.NotFound) as missing:
                    hw.webhooks.get("w")
                self.assertEqual(missing.exception.code, "unknown")
                with self.assertRaises(hookwheel.Refused) as elsewhere:
                    hw.webhooks.get("w")
                self.assertEqual(elsewhere.exception.status, 302)

    def test_an_answer_that_is_no_reply_is_refused(self) -> None:
        html = {"content-type": "text/html"}
        with answering([Answer(200, b"<html>", html), Answer(200, b"{}"), Answer(206, b"{}")]) as api:
            with Hookwheel(api.url, "hw_key") as hw:
                for status in (200, 200, 206):
                    with self.assertRaises(hookwheel.Refused) as strange:
                        hw.webhooks.get("w")
                    self.assertEqual((strange.exception.status, strange.exception.code), (status, "unknown"))
        with self.assertRaises(ValueError):
            Hookwheel("hooks.example.com", "hw_key")

    def test_what_a_newer_server_says_is_handed_on(self) -> None:
        said = json.dumps({"data": {**RECEIPT, "mood": "good"}}).encode()
        with answering([Answer(202, said)]) as api, Hookwheel(api.url, "hw_key") as hw:
            self.assertEqual(hw.events.publish("a", 1)["mood"], "good")
        self.assertEqual(check_job_state("resting"), "resting")


class Requests(unittest.TestCase):
    """What a request says."""

    def test_what_is_left_out_is_not_sent_and_none_is_null(self) -> None:
        with answering([Answer(404, b"{}"), Answer(404, b"{}")]) as api, Hookwheel(api.url, "hw_key") as hw:
            with self.assertRaises(hookwheel.NotFound):
                hw.webhooks.change("a/b", name=None, headers={"x": "y"})
            with self.assertRaises(hookwheel.NotFound):
                hw.for_account("acme").webhooks.get("w")
            changed, shown = api.next(), api.next()
        self.assertEqual(json.loads(changed.body), {"name": None, "headers": {"x": "y"}})
        self.assertEqual(changed.path, "/api/v1/webhooks/a%2Fb")
        self.assertNotIn("hookwheel-account", changed.headers)
        self.assertEqual(shown.headers["hookwheel-account"], "acme")
        self.assertRegex(shown.headers["user-agent"], r"^hookwheel-python/\d")


# From the documentation of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
}
THEN = 1614265330.0


class Verifying(unittest.TestCase):
    """Which requests are the server's."""

    def test_a_signature_from_elsewhere_is_right(self) -> None:
        for payload in (BODY, BODY.decode()):
            self.assertEqual(hookwheel.verify(payload, HEADERS, SECRET, now=THEN), {"test": 2432232314})
        hookwheel.verify(BODY, HEADERS, ["whsec_AAAA", SECRET], now=THEN + 299)

    def refused(self, body: bytes = BODY, secret: str = SECRET, now: float = THEN, **headers: str) -> str:
        given = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
        with self.assertRaises(hookwheel.NotVerified) as error:
            hookwheel.verify(body, {name: value for name, value in given.items() if value}, secret, now=now)
        return str(error.exception)

    def test_anything_else_is_not(self) -> None:
        self.assertIn("signature", self.refused(body=BODY + b" "))
        self.assertIn("signature", self.refused(secret="whsec_AAAA"))
        self.assertIn("signature", self.refused(webhook_signature="v1,"))
        self.assertIn("signature", self.refused(webhook_signature="v1,\N{SNOWMAN}"))
        self.assertIn("too far", self.refused(now=THEN + 301))
        self.assertIn("too far", self.refused(now=THEN - 301))
        self.assertIn("no time", self.refused(webhook_timestamp="soon"))
        self.assertIn("missing", self.refused(webhook_signature=""))
        for secret in ("", "whsec_", "whsec_?"):
            with self.assertRaises(ValueError):
                hookwheel.verify(BODY, HEADERS, secret, now=THEN)


if __name__ == "__main__":
    unittest.main()
