/**
 * The completion scripts of each shell.
 *
 * They are static: nothing is asked of the program while somebody types.
 *
 * @module
 */

import type { KnownCommand, KnownOption, Shell } from "./completion.ts";

/** The program, which comes first, and its commands. */
export type KnownProgram = readonly [KnownCommand, ...KnownCommand[]];

/** The completion script for a shell. */
export function script(shell: Shell, program: KnownProgram): string {
  switch (shell) {
    case "bash":
      return bash(program);
    case "zsh":
      return zsh(program);
    case "fish":
      return fish(program);
    case "powershell":
      return powershell(program);
  }
}

function flagsOf(command: KnownCommand): string[] {
  return command.options.flatMap((option) => option.flags);
}

function valueOptions(command: KnownCommand): KnownOption[] {
  return command.options.filter((option) => option.takesValue);
}

/** In single quotes, for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

// --- bash ---

function bash([root, ...commands]: KnownProgram): string {
  const name = root.name;
  const values = [root, ...commands].flatMap((command) =>
    valueOptions(command).map((option) => {
      const cases = option.flags.map((flag) => `${command === root ? "" : command.name}:${flag}`).join("|");
      return `    ${cases}) words=${quoted(option.choices.join(" "))} files= ;;`;
    })
  );
  const own = commands.map((command) =>
    `      ${command.name}) flags=${quoted(flagsOf(command).join(" "))} words=${
      quoted(command.words.join(" "))
    } files=${command.takesFile ? "yes" : ""} ;;`
  );
  const rootValues = valueOptions(root).flatMap((option) => option.flags).join("|");
  return `# bash completion for ${name}
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local command='' flags='' words='' files='' i
  # bash takes --option=value apart
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${rootValues}) ((i++)); [[ \${COMP_WORDS[i]} == = ]] && ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command:$prev in
${values.join("\n")}
    *)
      case $command in
      '') flags=${quoted(flagsOf(root).join(" "))} words=${quoted(commands.map((command) => command.name).join(" "))} ;;
${own.join("\n")}
      esac
      [[ $cur == -* ]] && words=$flags files=
      ;;
  esac
  COMPREPLY=()
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY+=($(compgen -f -- "$cur"))
  fi
}
complete -F _${name} ${name}
`;
}

// --- zsh ---

function zsh([root, ...commands]: KnownProgram): string {
  const name = root.name;
  const described = commands.map((command) => `    ${quoted(`${command.name}:${command.description}`)}`).join("\n");
  const own = commands.map((command) => {
    const rest = command.takesFile
      ? "'*:argument:_files'"
      : command.words.length > 0
      ? `'*:argument:(${command.words.join(" ")})'`
      : "'*:argument: '";
    return `        ${command.name})
          _arguments -s ${[...zshOptions(command), rest].join(" \\\n            ")}
          ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}
_${name}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a commands
  commands=(
${described}
  )
  _arguments -s -C ${[...zshOptions(root), "'1:command:->command'", "'*::argument:->argument'"].join(" \\\n    ")}
  case $state in
    command)
      _describe command commands
      ;;
    argument)
      case $line[1] in
${own.join("\n")}
      esac
      ;;
  esac
}
if [ "$funcstack[1]" = "_${name}" ]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function zshOptions(command: KnownCommand): string[] {
  return command.options.map((option) => {
    const description = option.description.replace(/[\\[\]:]/g, "\\$&");
    const value = !option.takesValue
      ? ""
      : option.choices.length > 0
      ? `:value:(${option.choices.join(" ")})`
      : ":value: ";
    const rest = quoted(`[${description}]${value}`);
    const [first, second] = option.flags.map((flag) =>
      `${flag}${option.takesValue && flag.startsWith("--") ? "=" : ""}`
    );
    if (second === undefined) return `${quoted(`*${first}`)}${rest}`;
    // Both spellings, and any number of times: some options can be repeated.
    return `'*'{${first},${second}}${rest}`;
  });
}

// --- fish ---

function fish([root, ...commands]: KnownProgram): string {
  const name = root.name;
  const names = commands.map((command) => command.name).join(" ");
  const lines = [`# fish completion for ${name}`, `complete -c ${name} -f`];
  const none = `-n ${quoted(`not __fish_seen_subcommand_from ${names}`)}`;
  for (const option of root.options) lines.push(fishOption(name, none, option));
  for (const command of commands) {
    const seen = `-n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    lines.push(`complete -c ${name} ${none} -a ${command.name} -d ${quoted(command.description)}`);
    for (const option of command.options) lines.push(fishOption(name, seen, option));
    if (command.words.length > 0) lines.push(`complete -c ${name} ${seen} -a ${quoted(command.words.join(" "))}`);
    if (command.takesFile) lines.push(`complete -c ${name} ${seen} -F`);
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(name: string, condition: string, option: KnownOption): string {
  const flags = option.flags.map((flag) => flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);
  const value = !option.takesValue
    ? ""
    : option.choices.length > 0
    ? ` -x -a ${quoted(option.choices.join(" "))}`
    : " -x";
  // Inside fish's single quotes a backslash escapes.
  const description = `'${option.description.replace(/[\\']/g, "\\$&")}'`;
  return `complete -c ${name} ${condition} ${flags.join(" ")}${value} -d ${description}`;
}

// --- PowerShell ---

function powershell([root, ...commands]: KnownProgram): string {
  const name = root.name;
  const single = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const list = (words: readonly string[]) => `@(${words.map(single).join(", ")})`;
  const values = [root, ...commands].flatMap((command) =>
    valueOptions(command).flatMap((option) =>
      option.flags.map((flag) =>
        `    ${single(`${command === root ? "" : command.name}:${flag}`)} = ${list(option.choices)}`
      )
    )
  );
  const own = commands.map((command) =>
    `    ${single(command.name)} = ${list([...flagsOf(command), ...command.words])}`
  );
  return `# PowerShell completion for ${name}
Register-ArgumentCompleter -Native -CommandName ${name} -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  # Case counts: -v and -V are two options.
  $values = [hashtable]::new([StringComparer]::Ordinal)
  $words = @{
    '' = ${list([...flagsOf(root), ...commands.map((command) => command.name)])}
${own.join("\n")}
  }
  @(
${values.map((line) => line.replace(/^ {4}('.*?') = (.*)$/, "    ,@($1, $2)")).join("\n")}
  ) | ForEach-Object { $values[$_[0]] = $_[1] }
  $typed = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
  $command = ''
  for ($i = 1; $i -lt $typed.Count; $i++) {
    if ($values.ContainsKey(":" + $typed[$i])) { $i++; continue }
    if (-not $typed[$i].StartsWith('-')) { $command = $typed[$i]; break }
  }
  $previous = if ($typed.Count -gt 1) { $typed[-1] } else { '' }
  $key = $command + ':' + $previous
  $candidates = if ($values.ContainsKey($key)) { $values[$key] } else { $words[$command] }
  $candidates | Where-Object { $_ -clike "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}
