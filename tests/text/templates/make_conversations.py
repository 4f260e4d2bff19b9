#!/usr/bin/python3
"""Writes conversations.json: [{"name": ..., "variables": {...}}, ...], what test_template.c and
render_golden.py render every template with."""
import json
import os

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather of a city.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Name of the city, e.g. \"Paris\""},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": "integer", "minimum": 1},
        "exact": {"type": "boolean", "description": "Exact <b>numbers</b> & more"}},
        "required": ["city"]}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "Search documents.\nSecond line.",
    "parameters": {"type": "object", "properties": {
        "queries": {"type": "array", "items": {"type": "string"}, "description": "What to look for"},
        "filter": {"type": "object", "description": "Nested", "properties": {
            "year": {"type": ["integer", "null"], "nullable": True},
            "tags": {"type": "array", "items": {"type": "object", "properties": {
                "key": {"type": "string"}, "value": {"anyOf": [{"type": "string"}, {"type": "number"}]}}}}},
            "required": ["year"]},
        "free": {}, "limit": {"type": "number", "default": 2.5}},
        "required": ["queries", "filter"]},
    "return": {"type": "array", "items": {"type": "string"}, "description": "Titles"}}}
EMPTY = {"type": "function", "function": {"name": "now", "description": "Current time",
                                         "parameters": {"type": "object", "properties": {}}}}
TOOLS = [WEATHER, SEARCH, EMPTY]


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


def call(name, arguments, identifier="abcdef123"):
    return {"id": identifier, "type": "function",
            "function": {"name": name, "arguments": arguments}}


def tool(text, identifier="abcdef123", name="get_weather"):
    return {"role": "tool", "name": name, "tool_call_id": identifier, "content": text}


CHAT = [user("Hello, how are you?"), assistant("I am fine. And you?"), user("Fine too.")]
ODD = " \n  Tabs\tand <tags> & \"quotes\" 'single' \\ back\nslash {{ braces }} {% x %} \n"
ZH = "你好，世界！ 😀 é ß Straße ǆ \u00a0 end"
PARTS = [{"type": "text", "text": "First part. "}, {"type": "text", "text": "Second."}]
PICTURE = [{"type": "image"}, {"type": "text", "text": "What is in the picture?"},
           {"type": "image_url", "image_url": {"url": "x.png"}}]
ROUND = [user("Weather in Paris?"),
         assistant("", tool_calls=[call("get_weather", {"city": "Paris", "days": 2, "exact": True,
                                                        "note": None, "scale": 1.5,
                                                        "list": [1, "a", {"b": []}]})]),
         tool("{\"temperature\": 22.5}"), assistant("22.5 degrees."), user("Thanks!")]
TEXT_ROUND = [user("Weather?"),
              assistant(None, tool_calls=[call("get_weather", "{\"city\": \"Paris\"}")]),
              tool("sunny")]
TWICE = [system("Use tools."), user("Weather in Paris and Rome?"),
         assistant("I look.", tool_calls=[call("get_weather", {"city": "Paris"}, "aaaaaaaa1"),
                                          call("get_weather", {"city": "Rome"}, "aaaaaaaa2")]),
         tool("20", "aaaaaaaa1"), tool({"t": 25}, "aaaaaaaa2"), assistant("Paris 20, Rome 25.")]
THINKING = [user("2+2?"), assistant("<think>\nTwo and two.\n</think>\n\n4"), user("3+3?"),
            assistant("6", reasoning_content="Three and three."), user("4+4?"),
            assistant("8", thinking="Four and four."), user("And 5+5?")]
DOCUMENTS = [{"title": "Cats", "text": "Cats are small.", "url": "http://a/b"},
             {"title": "Dogs & more", "text": "Dogs\nbark.", "doc_id": 7, "score": 0.25}]

CASES = [
    ("chat", {"messages": CHAT}, True),
    ("chat_closed", {"messages": CHAT + [assistant("Good.")]}, False),
    ("system", {"messages": [system("Be brief.")] + CHAT}, True),
    ("system_closed", {"messages": [system("Be brief.")] + CHAT + [assistant("Good.")]}, False),
    ("one", {"messages": [user("Hi")]}, True),
    ("none", {"messages": []}, True),
    ("only_system", {"messages": [system("Alone.")]}, True),
    ("developer", {"messages": [{"role": "developer", "content": "Rules."}] + CHAT}, True),
    ("order", {"messages": [assistant("I begin."), user("No."), user("Twice.")]}, True),
    ("late_system", {"messages": CHAT + [system("Late.")]}, True),
    ("unknown_role", {"messages": [user("a"), {"role": "critic", "content": "b"}]}, True),
    ("odd_text", {"messages": [system(ODD), user(ODD), assistant(ODD), user(ODD)]}, True),
    ("unicode", {"messages": [system(ZH), user(ZH), assistant(ZH), user(ZH + "\u2028x")]}, True),
    ("empty_text", {"messages": [system(""), user(""), assistant(""), user(" ")]}, True),
    ("null_content", {"messages": [user("a"), assistant(None), user("b")]}, True),
    ("no_content", {"messages": [user("a"), {"role": "assistant"}, user("b")]}, True),
    ("parts", {"messages": [{"role": "system", "content": PARTS}, user(PARTS),
                            {"role": "assistant", "content": PARTS}, user("x")]}, True),
    ("picture", {"messages": [user(PICTURE), assistant("A cat."), user("Sure?")]}, True),
    ("tools", {"messages": CHAT, "tools": TOOLS}, True),
    ("tools_system", {"messages": [system("Be brief.")] + CHAT, "tools": TOOLS}, True),
    ("tools_bare", {"messages": CHAT, "tools": [t["function"] for t in TOOLS]}, True),
    ("tool_round", {"messages": ROUND, "tools": TOOLS}, True),
    ("tool_open", {"messages": ROUND[:3], "tools": TOOLS}, True),
    ("tool_text", {"messages": TEXT_ROUND, "tools": [WEATHER]}, True),
    ("tool_twice", {"messages": TWICE, "tools": TOOLS}, False),
    ("tool_no_list", {"messages": ROUND}, True),
    ("tool_short_id", {"messages": [user("a"), assistant("", tool_calls=[call("now", {}, "x")]),
                                    tool("1", "x")], "tools": [EMPTY]}, True),
    ("tools_empty", {"messages": CHAT, "tools": []}, True),
    ("tools_null", {"messages": CHAT, "tools": None, "documents": None}, True),
    ("thinking", {"messages": THINKING}, True),
    ("thinking_on", {"messages": THINKING, "enable_thinking": True, "thinking": True,
                     "preserve_thinking": True, "clear_thinking": False}, True),
    ("thinking_off", {"messages": THINKING, "enable_thinking": False, "thinking": False,
                      "add_thoughts": False}, True),
    ("thinking_tools", {"messages": [user("Go."), assistant("", reasoning_content="Look.",
                                                            tool_calls=[call("search", {"queries": ["x"]})]),
                                     tool("found", name="search")], "tools": TOOLS,
                        "enable_thinking": True}, True),
    ("documents", {"messages": CHAT, "documents": DOCUMENTS, "citation_mode": "fast"}, True),
    ("documents_tools", {"messages": [system("Cite.")] + CHAT, "documents": DOCUMENTS,
                         "tools": TOOLS, "citation_mode": "accurate",
                         "safety_mode": "STRICT"}, True),
    ("options", {"messages": [system("S")] + CHAT, "date_string": "26 Jul 2024",
                 "builtin_tools": ["browser", "python", "code_interpreter"],
                 "tools": TOOLS, "tools_in_user_message": False, "reasoning_effort": "high",
                 "model_identity": "You are lichen.", "xml_tools": TOOLS,
                 "python_tools": ["def f(x): pass"], "custom_instructions": "Be kind.",
                 "controls": {"length": "long"}, "available_tools": TOOLS,
                 "json_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}, True),
    ("prefix", {"messages": CHAT + [assistant("I would", prefix=True)],
                "continue_final_message": True}, False),
    ("numbers", {"messages": [user("n"), assistant("", tool_calls=[
        call("f", {"i": 12345678901, "f": 1e22, "g": 0.1, "h": 1e-7, "z": -0.0, "t": True,
                   "n": None, "e": "", "o": {}, "l": [], "u": "\u00e9\u0001\u007f\u2028"})])],
                 "tools": TOOLS}, True),
]


def main():
    cases = []
    for name, variables, prompt in CASES:
        cases.append({"name": name,
                      "variables": {**variables, "add_generation_prompt": prompt, **TOKENS}})
    cases.append({"name": "no_tokens", "variables": {"messages": CHAT}})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conversations.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=False, indent=1)
        file.write("\n")


main()
