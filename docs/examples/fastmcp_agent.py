# pip install "fastmcp>=4" openai
# MCP_SERVER_API_KEY=… OPENAI_API_KEY=… python fastmcp_agent.py
import asyncio
import json
import os

from fastmcp import Client
from openai import AsyncOpenAI


async def main() -> None:
    model = AsyncOpenAI()
    url = os.environ.get("GATEWAY_URL", "http://localhost:8000/mcp")
    messages = [{"role": "user", "content": "Draw a lighthouse in a storm, and reply with the URL of the image."}]
    async with Client(url, auth=os.environ["MCP_SERVER_API_KEY"]) as gateway:
        functions = [
            {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
            for tool in await gateway.list_tools()
        ]
        tools = [{"type": "function", "function": function} for function in functions]
        while True:
            completion = await model.chat.completions.create(model="gpt-6-luna", messages=messages, tools=tools)
            message = completion.choices[0].message
            messages.append(message)
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                arguments = json.loads(call.function.arguments)
                result = await gateway.call_tool(call.function.name, arguments, raise_on_error=False)
                text = "\n".join(block.text for block in result.content if block.type == "text")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
    print(message.content)


asyncio.run(main())
