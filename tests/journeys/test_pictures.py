"""Pictures that stay: copied once, and served at addresses of ours."""

from tests.harness import Gateway


async def test_a_picture_is_kept_and_served_where_its_task_says(ready: Gateway) -> None:
    _, answer = await ready.imagine("a red fox")
    done = await ready.ended(answer["result"])

    assert done["imageUrl"].startswith(f"{ready.address}/mj/image/{done['id']}?expires=")
    async with ready.session.get(done["imageUrl"], allow_redirects=False) as response:
        content = await response.read()
        assert 200 == response.status, content
    assert content.startswith(b"\x89PNG")
    assert [("kept", len(content))] == ready.rows("select state, size from pictures")
