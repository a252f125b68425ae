"""A day of use, against a server that runs: HOOKWHEEL_URL and HOOKWHEEL_KEY name it and its admin key."""

from __future__ import annotations

import asyncio
import json
import os
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import hookwheel
from hookwheel import AsyncHookwheel, Hookwheel, models
from tests.endpoint import DEADLINE_SECONDS, Answer, Arrived, Endpoint

URL, ADMIN_KEY = os.environ["HOOKWHEEL_URL"], os.environ["HOOKWHEEL_KEY"]


def newly(name: str) -> str:
    """An id that nobody has."""
    return f"{name}-{uuid4().hex[:12]}"


def account_with_key(admin: Hookwheel) -> tuple[str, str]:
    """A new account, and a key of it that may do all but administer."""
    account = admin.accounts.create(id=newly("day"), name="A day")
    key = admin.accounts.keys.create(account.id, scopes=["publish", "manage", "read"], name="the day's")
    assert isinstance(key.key, str)
    return account.id, key.key


class Day(unittest.TestCase):
    """One account, from its first key to its last dead letter."""

    def setUp(self) -> None:
        self.is_down = False
        endpoint = Endpoint(lambda _: Answer(500 if self.is_down else 204))
        self.endpoint = self.enterContext(endpoint)
        self.admin = self.enterContext(Hookwheel(URL, ADMIN_KEY))
        self.account, key = account_with_key(self.admin)
        self.hw = self.enterContext(Hookwheel(URL, key))

    def verified(self, arrived: Arrived, secret: str | list[str]) -> dict[str, object]:
        body: dict[str, object] = hookwheel.verify(arrived.body, arrived.headers, secret)
        return body

    def ended(self, job: models.Job) -> models.Job:
        until = time.monotonic() + DEADLINE_SECONDS
        while job.state == "running" and time.monotonic() < until:
            job = self.hw.jobs.get(job.id)
        return job

    def delivery_in(self, id: str, state: models.DeliveryState) -> models.Delivery:
        until = time.monotonic() + DEADLINE_SECONDS
        while (delivery := self.hw.deliveries.get(id)).state != state and time.monotonic() < until:
            pass
        self.assertEqual(delivery.state, state)
        return delivery

    def webhook(self, **fields: object) -> tuple[models.Webhook, str]:
        made = self.hw.webhooks.create(url=self.endpoint.url + "/hook", events=["task.*"], max_retries=0, **fields)  # type: ignore[arg-type]
        secret = self.hw.webhooks.secret.get(made.id).secret
        assert isinstance(secret, str)
        return made, secret

    def test_what_is_published_arrives_and_can_be_verified(self) -> None:
        webhook, secret = self.webhook(name="Mine", headers={"x-team": "orders"})
        self.assertEqual((webhook.status, webhook.account), ("active", self.account))
        receipt = self.hw.events.publish("task.created", {"id": 1, "title": "Grüße"}, metadata={"region": "eu"})
        self.assertEqual((receipt.type_, receipt.deliveries), ("task.created", 1))
        arrived = self.endpoint.next()
        self.assertEqual((arrived.path, arrived.headers["x-team"]), ("/hook", "orders"))
        body = self.verified(arrived, secret)
        self.assertEqual((body["type"], body["data"]), ("task.created", {"id": 1, "title": "Grüße"}))
        with self.assertRaises(hookwheel.NotVerified):
            hookwheel.verify(arrived.body + b" ", arrived.headers, secret)
        event = self.hw.events.get(receipt.id)
        self.assertEqual(event.data, {"id": 1, "title": "Grüße"})
        [delivery] = self.hw.events.deliveries.list(receipt.id)
        shown = self.delivery_in(delivery.id, "succeeded")
        assert isinstance(shown.attempts, list)
        self.assertEqual((shown.cause, shown.attempts[0].status_code), ("accept", 204))

    def test_events_are_accepted_once_and_batches_whole(self) -> None:
        own = newly("order")
        first = self.hw.events.publish("task.created", 1, id=own)
        again = self.hw.events.publish("task.created", 1, id=own)
        self.assertEqual((first.id, again.id, again.duplicate), (own, own, True))
        with self.assertRaises(hookwheel.Conflict) as conflict:
            self.hw.events.publish("task.created", 2, id=own)
        self.assertEqual(conflict.exception.code, "event_id_conflict")
        key = newly("key")
        one = self.hw.events.publish("task.created", {"n": 1}, idempotency_key=key)
        self.assertEqual(self.hw.events.publish("task.created", {"n": 1}, idempotency_key=key).id, one.id)
        receipts = self.hw.events.publish_batch({"type": "task.done", "data": n} for n in range(120))
        self.assertEqual(len({receipt.id for receipt in receipts}), 120)
        with self.assertRaises(hookwheel.BadRequest) as wrong:
            self.hw.events.publish_batch([{"type": "task.done", "data": 1}, {"type": "no good", "data": 2}])
        self.assertEqual(wrong.exception.field, "[1].type")
        # Three pages, of which the caller sees one list; newest first.
        listed = [event.id for event in self.hw.events.list(type_="task.done", limit=50)]
        self.assertEqual(listed, [receipt.id for receipt in reversed(receipts)])
        page = self.hw.events.list(limit=5).page()
        self.assertEqual((len(page.data), page.next_cursor is None), (5, False))

    def test_what_does_not_fit_the_schema_of_its_type_is_refused(self) -> None:
        schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
        made = self.hw.event_types.create(type_="order.paid", schema=schema, validation="refuse")
        self.assertEqual((made.type_, made.validation), ("order.paid", "refuse"))
        with self.assertRaises(hookwheel.DoesNotFit) as wrong:
            self.hw.events.publish("order.paid", {"amount": "a"})
        self.assertEqual([field for field, _ in wrong.exception.faults], ["data/amount"])
        loaded = self.hw.event_types.load(document={"$defs": {"order.gone": {"type": "object"}}})
        self.assertEqual(loaded.created, ["order.gone"])
        retired = self.hw.event_types.change("order.gone", retired=True)
        self.assertIsNotNone(retired.retired_at)
        listed = [one.type_ for one in self.hw.event_types.list()]
        self.assertEqual(listed[:2], ["order.gone", "order.paid"])
        self.hw.event_types.delete("order.gone")

    def test_a_webhook_is_changed_held_tested_and_deleted(self) -> None:
        webhook, _ = self.webhook(description="to be cleared")
        changed = self.hw.webhooks.change(webhook.id, description=None, events=["*"])
        self.assertEqual((changed.description, changed.events, changed.name), (None, ["*"], webhook.name))
        self.assertEqual(self.hw.webhooks.pause(webhook.id).status, "paused")
        receipt = self.hw.events.publish("task.created", 1)
        [delivery] = self.hw.webhooks.deliveries.list(webhook.id, state="held")
        self.assertEqual(delivery.event_id, receipt.id)
        self.assertEqual(self.hw.webhooks.resume(webhook.id).status, "active")
        self.endpoint.next()
        tested = self.hw.webhooks.test(webhook.id)
        self.assertTrue(tested.success)
        self.assertIn(webhook.id, [one.id for one in self.hw.webhooks.list()])
        self.hw.webhooks.delete(webhook.id)
        with self.assertRaises(hookwheel.NotFound):
            self.hw.webhooks.get(webhook.id)

    def test_what_dies_is_replayed_one_by_one_and_as_a_job(self) -> None:
        webhook, secret = self.webhook()
        self.is_down = True
        receipts = self.hw.events.publish_batch([{"type": "task.created", "data": n} for n in range(3)])
        dead = [next(iter(self.hw.events.deliveries.list(receipt.id))) for receipt in receipts]
        for delivery in dead:
            self.endpoint.next()
            self.delivery_in(delivery.id, "dead")
        self.assertEqual({one.id for one in self.hw.dead_letters.list(webhook=webhook.id)}, {one.id for one in dead})
        counted = self.hw.dead_letters.replay(webhook=webhook.id, dry_run=True)
        assert isinstance(counted, models.DryRun)
        self.assertEqual(counted.count, 3)
        self.is_down = False
        replay = self.hw.deliveries.replay(webhook.id, dead[0].id)
        self.assertEqual(replay.replay_of, dead[0].id)
        self.assertEqual(self.verified(self.endpoint.next(), secret)["data"], 0)
        self.delivery_in(replay.delivery_id, "succeeded")
        job = self.hw.dead_letters.replay(webhook=webhook.id)
        assert isinstance(job, models.Job)
        self.assertEqual((self.ended(job).state, self.ended(job).done), ("done", 2))
        again = [self.verified(self.endpoint.next(), secret)["data"] for _ in range(2)]
        self.assertEqual({str(data) for data in again}, {"1", "2"})
        self.assertEqual(list(self.hw.dead_letters.list()), [])
        self.assertIn(job.id, [one.id for one in self.hw.jobs.list()])

    def test_many_webhooks_are_put_there_and_get_what_was_before_them(self) -> None:
        receipt = self.hw.events.publish("task.created", {"n": 1})
        said = [{"url": self.endpoint.url, "events": ["*"], "uid": f"many-{n}"} for n in range(2)]
        self.assertEqual([one.status for one in self.hw.webhooks.bulk.put(said)], [201, 201])
        said.append({"url": "no url", "events": ["*"]})
        put = self.hw.webhooks.bulk.put((models.WebhookPut.from_dict(one) for one in said), mode="each")
        self.assertEqual([one.status for one in put], [200, 200, 400])
        job = self.hw.events.replay(receipt.id, idempotency_key="again")
        assert isinstance(job, models.Job)
        self.assertEqual(self.ended(job).done, 2)
        same = self.hw.events.replay(receipt.id, idempotency_key="again")
        assert isinstance(same, models.Job)
        self.assertEqual(same.id, job.id)
        for _ in range(2):
            self.endpoint.next()
        gone = self.hw.webhooks.bulk.delete(ids=["many-0", "many-1"])
        assert isinstance(gone, models.Job)
        self.assertEqual(self.ended(gone).done, 2)

    def test_what_is_pulled_is_verified_acknowledged_and_refused(self) -> None:
        webhook = self.hw.webhooks.create(mode="pull", events=["task.*"], max_retries=0)
        secret = self.hw.webhooks.secret.get(webhook.id).secret
        assert isinstance(secret, str)
        receipts = self.hw.events.publish_batch([{"type": "task.created", "data": n} for n in range(3)])
        pulled = self.hw.webhooks.pull(webhook.id, limit=2)
        with next(pulled) as delivery:
            self.assertEqual(delivery.verify(secret)["data"], 0)
        refused = next(pulled)
        with self.assertRaises(ZeroDivisionError), refused:
            refused.extend(60)
            raise ZeroDivisionError
        self.delivery_in(delivery.lease.delivery_id, "succeeded")
        dead = self.delivery_in(refused.lease.delivery_id, "dead")
        self.assertIn("ZeroDivisionError", str(dead.error))
        last = next(pulled)
        last.ack()
        last.ack()
        self.assertEqual(last.lease.event_id, receipts[2].id)

    def test_what_happens_is_told_as_it_happens_and_from_a_place_on(self) -> None:
        stream = self.hw.stream.follow(kind="event", event_type="task.*")
        with ThreadPoolExecutor(1) as beside:
            first = beside.submit(lambda: next(stream))
            while not first.done():
                self.hw.events.publish("order.paid", 1)
                self.hw.events.publish("task.created", 1)
            begun = first.result()
        self.assertEqual((begun.kind, begun.data["type"]), ("event", "task.created"))
        self.hw.events.publish("task.created", 2, id="the-last")
        since = list(self.hw.stream.follow(last_event_id=begun.id, forever=False))
        self.assertEqual(since[-1].data["id"], "the-last")
        self.assertEqual(list(self.hw.stream.follow(last_event_id=since[-1].id, forever=False)), [])
        with self.assertRaises(hookwheel.BadRequest):
            next(self.hw.stream.follow(last_event_id="nothing"))

    def test_secrets_are_rotated_and_pairs_verified(self) -> None:
        webhook, old = self.webhook()
        new = self.hw.webhooks.secret.rotate(webhook.id)
        assert isinstance(new.secret, str)
        self.assertNotEqual(new.secret, old)
        self.hw.events.publish("task.created", 1)
        arrived = self.endpoint.next()
        for secret in (old, new.secret, [old, new.secret]):
            self.verified(arrived, secret)
        self.hw.webhooks.delete(webhook.id)
        pair = self.hw.webhooks.create(url=self.endpoint.url, events=["*"], signing="ed25519")
        public = self.hw.webhooks.secret.get(pair.id).public_key
        assert isinstance(public, str) and public.startswith("whpk_")
        self.hw.events.publish("task.created", 1)
        arrived = self.endpoint.next()
        self.verified(arrived, public)
        with self.assertRaises(hookwheel.NotVerified):
            hookwheel.verify(arrived.body + b" ", arrived.headers, public)

    def test_what_cannot_be_done_is_told_by_its_kind(self) -> None:
        with self.assertRaises(hookwheel.BadRequest) as wrong:
            self.hw.webhooks.create(url="no url", events=["*"])
        self.assertEqual((wrong.exception.status, wrong.exception.field), (400, "url"))
        with self.assertRaises(hookwheel.Forbidden):
            list(self.hw.accounts.list())
        with self.assertRaises(hookwheel.Unauthorized), Hookwheel(URL, "hw_nobody") as stranger:
            stranger.events.publish("task.created", 1)
        with self.assertRaises(hookwheel.NotFound):
            self.hw.events.get("nothing")

    def test_an_admin_acts_for_an_account_and_looks_around(self) -> None:
        acting = self.admin.for_account(self.account)
        receipt = acting.events.publish("task.created", 1)
        self.assertEqual(self.hw.events.get(receipt.id).id, receipt.id)
        webhook = acting.webhooks.create(url=self.endpoint.url, events=["*"])
        self.assertIn("webhook.created", [entry.action for entry in acting.audit.list(target=webhook.id)])
        self.assertEqual(acting.stats.get(step="hour").total.accepted, 1)
        self.assertTrue(any(one.name == "standard" for one in self.admin.dialects.list()))
        self.assertIn("hookwheel_", self.admin.health.metrics.get())

    def test_an_account_is_shown_taken_along_and_emptied(self) -> None:
        who = self.hw.accounts.whoami.get()
        self.assertEqual((who.account.id, who.is_admin), (self.account, False))
        link = self.hw.accounts.portal.create(self.account, abilities=["view"], session_minutes=5)
        self.assertIn("/portal/enter/", link.url)
        self.assertEqual(self.hw.accounts.portal.revoke(self.account).links, 1)
        receipt = self.hw.events.publish("task.created", "to be gone")
        lines = [json.loads(line) for line in self.hw.accounts.export(self.account).splitlines()]
        self.assertEqual((lines[0]["kind"], lines[-1]["kind"]), ("account", "end"))
        self.assertIn(receipt.id, [line.get("id") for line in lines if line["kind"] == "event"])
        self.assertIsNone(self.hw.events.delete(receipt.id))
        with self.assertRaises(hookwheel.NotFound):
            self.hw.events.get(receipt.id)


class AsyncDay(unittest.IsolatedAsyncioTestCase):
    """The same client, awaited."""

    async def test_a_day_awaited(self) -> None:
        with Endpoint(lambda _: Answer(204)) as endpoint, Hookwheel(URL, ADMIN_KEY) as admin:
            account, key = await asyncio.to_thread(account_with_key, admin)
            async with AsyncHookwheel(URL, ADMIN_KEY, account=account) as acting:
                webhook = await acting.webhooks.create(url=endpoint.url, events=["task.*"])
                secret = (await acting.webhooks.secret.get(webhook.id)).secret
                assert isinstance(secret, str)
            async with AsyncHookwheel(URL, key) as hw:
                receipt = await hw.events.publish("task.created", {"id": 1})
                arrived = await asyncio.to_thread(endpoint.next)
                self.assertEqual(hookwheel.verify(arrived.body, arrived.headers, secret)["data"], {"id": 1})
                await hw.events.publish_batch([{"type": "task.done", "data": n} for n in range(7)])
                listed = [event.type_ async for event in hw.events.list(limit=3)]
                self.assertEqual(listed, ["task.done"] * 7 + ["task.created"])
                page = await hw.events.list(limit=3).page()
                self.assertEqual(len(page.data), 3)
                self.assertEqual((await hw.events.get(receipt.id)).id, receipt.id)
                with self.assertRaises(hookwheel.NotFound):
                    await hw.webhooks.get("nothing")


if __name__ == "__main__":
    unittest.main()
