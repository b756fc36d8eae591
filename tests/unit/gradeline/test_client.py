"""The client and the command against a real server: what is sent again makes nothing twice, and what failed is shown."""

from __future__ import annotations

import pytest

from gradeline.errors import ApiProblem, Unreachable
from tests.documents import word, zipped
from tests.unit.api.conftest import end_jobs
from tests.unit.api.test_calibrations import examples, made
from tests.unit.api.test_failed import problem
from tests.unit.api.test_reviews import result


def test_a_hand_in_whose_answer_was_lost_is_sent_again_and_makes_one_job(client, forgetful):
    forgetful.lose = 2
    job = client.submit("A text.")
    assert [each["id"] for each in client.jobs()] == [job["id"]]


def test_a_batch_whose_answer_was_lost_is_sent_again_and_makes_one_batch(client, forgetful):
    forgetful.lose = 1
    batch = client.submit_batch([{"text": "A text."}, {"text": "Another."}])
    assert {job["batch_id"] for job in client.jobs()} == {batch["id"]}
    assert len(list(client.jobs())) == 2


def test_two_hand_ins_of_the_same_text_are_two_jobs(client):
    assert client.submit("A text.")["id"] != client.submit("A text.")["id"]


def test_a_text_that_is_refused_is_not_sent_again(client, forgetful):
    with pytest.raises(ApiProblem) as refused:
        client.submit("")
    assert (refused.value.code, forgetful.asked) == ("invalid_request", 1)


def test_the_command_lists_what_failed_with_its_reason_and_queues_it_again(client, command, database):
    assert "no job has failed" in command("failed")
    lost, odd = (client.submit("A text.")["id"] for _ in range(2))
    end_jobs(database, [lost], error=problem("worker_lost"))
    end_jobs(database, [odd], error=problem("unscorable"))
    table = command("failed")
    assert lost in table and odd in table and "It failed with worker_lost." in table
    assert odd not in command("failed", "--code", "worker_lost")
    assert command("failed", "--retry", "--code", "worker_lost") == "1 job queued again\n"
    assert client.get(lost)["state"] == "queued"
    assert f'"id": "{odd}"' in command("failed", "--json") and lost not in command("failed", "--json")
    assert command("failed", "--retry", "--limit", "1") == "1 job queued again; there may be more\n"
    assert command("failed", "--retry") == "0 jobs queued again\n"


def test_waiting_outlasts_an_api_that_dies_and_comes_back(served, client, database):
    batch, job = client.submit_batch([{"text": "A text."}])["id"], client.submit("Another text.")["id"]
    left, away = [[each["id"] for each in client.jobs(batch=batch)], [job]], []

    def back(error):
        away.append(error)
        if len(away) == 2:
            served.start()
            end_jobs(database, left.pop(0), error=problem("unscorable"))

    ended = client.wait_for_batch(batch, 60, on_move=lambda _: served.stop() if not away else None, on_away=back)
    assert (ended["state"], len(away)) == ("finished", 2) and isinstance(away[0], Unreachable)
    served.stop()
    away.clear()
    assert client.wait_for([job], 60, on_away=back)[job]["state"] == "failed" and len(away) == 2


def test_waiting_ends_with_its_time_and_at_once_for_what_waiting_can_not_mend(served, client):
    batch = client.submit_batch([{"text": "A text."}])["id"]
    with pytest.raises(TimeoutError, match=batch):
        client.wait_for_batch(batch, 0)
    with pytest.raises(ApiProblem, match="not_found"):
        client.wait_for_batch("none", 60, on_away=pytest.fail)
    served.stop()
    with pytest.raises(Unreachable):
        client.wait_for_batch(batch, 1)
    served.start()


def test_what_is_no_gradeline_is_said_in_a_sentence(forgetful, client):
    forgetful.stranger = True
    with pytest.raises(ApiProblem, match="does not answer like Gradeline: is the address right"):
        client.models()


def test_files_whose_answers_were_lost_are_sent_again_and_make_one_thing_each(client, forgetful, tmp_path):
    (tmp_path / "anna.docx").write_bytes(word("A text."))
    (tmp_path / "class.csv").write_text("external_id,text\nben,A text.\ncarl,\n")
    (tmp_path / "class.zip").write_bytes(zipped({"dora.txt": b"A text."}))
    forgetful.lose = 2
    job = client.submit_file(tmp_path / "anna.docx", prompt="Phones?", metadata={"term": 1}, explain=True)
    assert (job["external_id"], job["metadata"]) == ("anna.docx", {"term": 1})
    for name, rejected in (("class.csv", 1), ("class.zip", 0)):
        forgetful.lose = 1
        batch = client.submit_batch_file(tmp_path / name, prompt="Phones?", metadata={"term": 1})
        assert (batch["counts"]["total"], len(batch["rejected"]), batch["metadata"]) == (1, rejected, {"term": 1})
    assert [each["external_id"] for each in client.jobs()] == ["dora.txt", "ben", "anna.docx"]


def test_results_come_in_pieces_and_a_batch_that_does_not_exist_is_a_problem(client):
    batch = client.submit_batch([{"text": "A text.", "external_id": f"s-{n}"} for n in range(3)])["id"]
    assert [job["external_id"] for job in client.batch_jobs(batch)] == ["s-0", "s-1", "s-2"]
    assert b"".join(client.results(batch, "csv")).startswith(b"external_id,state,")
    with pytest.raises(ApiProblem) as refused:
        next(client.results("00000000-0000-0000-0000-000000000000"))
    assert refused.value.code == "not_found"


def test_the_command_saves_results_in_the_format_that_the_file_is_named_for(client, command, tmp_path):
    batch = client.submit_batch([{"text": "A text.", "external_id": "anna"}])["id"]
    for name, start in (
        ("a.csv", b"external_id"),
        ("a.xlsx", b"PK"),
        ("a.ndjson", b'{"id"'),
        ("a.txt", b"external_id"),
    ):
        assert command("results", batch, "-o", str(tmp_path / name)) == ""
        assert (tmp_path / name).read_bytes().startswith(start)
    assert command("results", batch, "--format", "json").startswith('{"batch"')


def test_a_file_is_made_only_when_there_are_results(client, command, tmp_path):
    with pytest.raises(ApiProblem):
        command("results", "none", "-o", str(tmp_path / "a.csv"))
    assert not (tmp_path / "a.csv").exists()


def test_a_person_reviews_through_the_client(client, database):
    job = client.submit("a")["id"]
    end_jobs(database, [job], result())
    assert client.next_review()["job"]["id"] == job
    assert client.review(job, {"Structure": 70}, comment="Fine.")["review"]["scores"] == {"Structure": 70}
    with pytest.raises(ApiProblem, match="changed") as refused:
        client.review(job, {"Structure": 60}, tag='"old"')
    assert refused.value.code == "precondition_failed"
    assert client.next_review() == {"lease": None, "job": None}
    client.appeal(job, "Please look again.")
    assert client.next_review()["job"]["id"] == job


def test_a_rubric_may_have_any_character_in_its_name_and_has_a_report(client):
    client.rubrics.make("What? 50 % #1", [{"name": "Structure", "min": 0, "max": 6, "measures": "Structure"}])
    assert client.rubrics.get("What? 50 % #1")["name"] == "What? 50 % #1"
    assert client.rubrics.report("What? 50 % #1@1")["rubric"]["version"] == 1
    assert client.rubrics.report_page("What? 50 % #1").startswith(b"<!doctype html>")


def test_a_calibration_that_agrees_worse_is_activated_by_force_alone(client, database):
    client.rubrics.make("essay", [{"name": "Structure", "min": 0, "max": 6, "step": 1}])
    worse = client.rubrics.calibrate("essay", examples(10))["id"]
    made(database, worse, better=False, kappa=0.41, kappa_before=0.52)
    with pytest.raises(ApiProblem, match=r"0\.410 against 0\.520"):
        client.rubrics.activate("essay", worse)
    assert client.rubrics.activate("essay", worse, force=True)["active"]
