<?php
// Runs documented code against requests: verify.php CASES FOLDER. Prints one JSON list of what it said.
[, $cases, $folder] = $argv;
$said = [];
foreach (json_decode(file_get_contents($cases), true) as $case) {
    $name = 'Code_' . str_replace('-', '_', $case['dialect']);
    if (!function_exists("$name\\verify")) {
        $code = file_get_contents("$folder/{$case['dialect']}.php");
        eval("namespace $name;\n" . substr($code, strlen('<?php')));
    }
    $said[] = ("$name\\verify")($case['headers'], base64_decode($case['body']), $case['secrets'], ...array_filter([$case['url']]));
}
echo json_encode($said), "\n";
